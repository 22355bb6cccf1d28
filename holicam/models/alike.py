"""A name that nobody knows, and those that may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnknownNameError(KeyError):
    """Something that does not exist; the message lists close names, and is shown without KeyError's quotes."""

    def __str__(self) -> str:
        return str(self.args[0])


def close_names(name: str, known: Iterable[str], most: int = 3) -> str:
    """The known names that are most like one, for a message; all of them where none is."""
    known = list(known)
    return ", ".join(difflib.get_close_matches(name, known, n=most, cutoff=0.4) or known)
