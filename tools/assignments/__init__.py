"""Graded work: three assignments for nbgrader, made from teaching/assignments/ with the numbers of a lecturer's SEED.

`source` reads an assignment's Markdown, `draws` gives its numbers, `release` leaves the answers out, `course` writes
nbgrader's folder, `answers` runs the solutions. `python -m tools.editions` calls them.
"""

NAMES = ("hour", "evening", "week")
PUBLIC = "public"  # the SEED that is taken where none is given: everybody can make its answers
