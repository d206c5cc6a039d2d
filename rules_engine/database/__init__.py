"""The engine's own memory: tables, inbox, ledger, outbox, lanes, rulebooks, and their migrations."""
