"""Pictures that stand in no chapter: `python -m tools.figures.landing`, `python -m tools.figures.readme`."""
