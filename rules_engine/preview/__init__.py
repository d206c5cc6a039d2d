"""Trying rules without touching a shop: tests of rules, previews of what they would do, and why they did or did not."""
