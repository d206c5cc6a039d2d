"""Rule and store files, read strictly: every problem of every file at once, each with its place."""
