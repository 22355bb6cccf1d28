"""What builds the book: each file runs as `python -m tools.NAME` from the repository's root."""
