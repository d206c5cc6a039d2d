"""The engine, as `rules-engine serve` runs it; with `--unlimited` for a shop that has no rate."""

from __future__ import annotations

import sys
from dataclasses import replace

from rules_engine.commands.serve import serve
from rules_engine.vendors.ecwid import Ecwid

if __name__ == "__main__":
    if "--unlimited" in sys.argv:
        # How fast the engine is would else be what Ecwid allows: ten calls a second.
        Ecwid.CAPABILITIES = replace(Ecwid.CAPABILITIES, rate=100_000, burst=100_000)
    serve()
