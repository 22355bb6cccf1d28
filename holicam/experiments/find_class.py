"""Classes by name, by a part of it, or by number."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MANY = 12  # classes listed


def find_class(names: Sequence[str], wanted: str) -> int:
    """The index of a class given by name, by a part that only one name has, or by number.

    Raises:
        ValueError: no class or several fit; the message lists them.
    """
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    lower = [name.lower() for name in names]
    if wanted.lower() in lower:
        return lower.index(wanted.lower())
    fitting = [i for i, name in enumerate(lower) if wanted.strip() and wanted.lower() in name]
    if len(fitting) == 1:
        return fitting[0]
    close = [names[i] for i in fitting] or difflib.get_close_matches(wanted, names, n=5, cutoff=0.4)
    what = "Several classes fit" if fitting else "There is no class"
    say = "choose one of" if fitting else "close names are"
    more = f" and {len(close) - MANY} more" if len(close) > MANY else ""
    raise ValueError(f"{what} {wanted!r}; {say} {', '.join(close[:MANY]) or 'none'}{more}.")
