"""The picture that stands in no chapter: `python -m tools.figures.readme`."""
