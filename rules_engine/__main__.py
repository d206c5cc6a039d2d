"""`python -m rules_engine` is the `rules-engine` command."""

from rules_engine.commands import main

if __name__ == "__main__":
    main()
