"""Slides with notes for a lecture, made from the chapters: `python -m tools.slides`."""
