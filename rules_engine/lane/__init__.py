"""A lane: one store's work, in order, by one worker at a time: read, decide, act."""
