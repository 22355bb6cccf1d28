"""Which names are places of one's own code. Apart from what looks for it, since every look-up of a name asks this."""

from __future__ import annotations

import re

PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_place(name: object) -> bool:
    """Whether a name has the form "module:name".

    >>> is_place("my_file:MyCAM"), is_place("grad-cam"), is_place("my-file:MyCAM")
    (True, False, False)
    """
    return isinstance(name, str) and PLACE.fullmatch(name) is not None
