"""Classes by name, by number, or by a part of the name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MANY = 12  # classes listed


def find_class(names: Sequence[str], wanted: str) -> int:
    """The index of a class given by name, by number, or by a part that only one name has.

    A name as it is written comes first: a class may be called "7" and not be number 7, and ImageNet has the dog
    Cardigan and the garment cardigan. Numbers tell classes of one name apart.

    Raises:
        ValueError: no class or several fit; the message lists them.
    """
    exact = [i for i, name in enumerate(names) if name == wanted]
    if len(exact) == 1:
        return exact[0]
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    lower = [name.lower() for name in names]
    fitting = exact or [i for i, name in enumerate(lower) if name == wanted.lower()]
    fitting = fitting or [i for i, name in enumerate(lower) if wanted.strip() and wanted.lower() in name]
    if len(fitting) == 1:
        return fitting[0]
    shared = {name for name in (lower[i] for i in fitting) if lower.count(name) > 1}
    told = [f"{i} ({names[i]})" if lower[i] in shared else names[i] for i in fitting]
    close = told or difflib.get_close_matches(wanted, names, n=5, cutoff=0.4)
    what = "Several classes fit" if fitting else "There is no class"
    say = "choose one of" if fitting else "close names are"
    more = f" and {len(close) - MANY} more" if len(close) > MANY else ""
    raise ValueError(f"{what} {wanted!r}; {say} {', '.join(close[:MANY]) or 'none'}{more}.")
