"""How the tables came to be, one revision after the other; `rules_engine.database.engine.migrate` applies them."""
