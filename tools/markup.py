"""What all that rewrite a chapter's Markdown know of it: roles, the options of a directive, citations."""

import re
from functools import cache

from tools.ipynb import BOOK

ROLE = re.compile(r"\{([\w:]+)\}`(?:([^`<]*?)\s*<([^`>]*)>|([^`]*))`")
# Between a number and its unit, and "Fig." and its number: they stand on one line.
_APART = re.compile(r"(?<=\d) (?=%|F\b)|(?<=\bFig\.) (?=\d)|(?<=\bFigs\.) (?=\d)|(?<=\bEq\.) (?=\d)")
EXERCISE = re.compile(r"^(`{3,})\{exercise\} ([^\n]+)\n:label: (\S+)\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)


def parts_of(role: re.Match) -> tuple[str, str, str]:
    """Name, shown words (or ""), and target of a ROLE."""
    return role[1], role[2] or "", (role[3] or role[4]).strip()


def together(text: str) -> str:
    """The text with spaces that do not break where a line must not end."""
    return _APART.sub("\N{NO-BREAK SPACE}", text)


def options(directive: str) -> tuple[dict[str, str], str]:
    """The `:name: value` lines of a directive and the rest of its body."""
    lines = directive.split("\n")[1:]
    said = {}
    while lines and (match := re.match(r":([\w-]+):\s*(.*)", lines[0])):
        said[match[1]] = match[2]
        lines.pop(0)
    return said, "\n".join(lines).strip()


@cache
def _bibliography():
    from pybtex.database import parse_file

    return parse_file(str(BOOK / "references.bib")).entries


def cited(key: str, in_text: bool) -> str:
    """Authors and year, as "Zhou et al. (2016)" or "Zhou et al., 2016"."""
    entry = _bibliography()[key.strip()]
    people = entry.persons["author"]
    name = " ".join(people[0].last_names) if people[0].last_names else str(people[0])
    who = name.strip("{}") + (
        " et al." if len(people) > 2 else f" and {' '.join(people[1].last_names)}" if len(people) == 2 else ""
    )
    year = entry.fields.get("year", "")
    return f"{who} ({year})" if in_text else f"{who}, {year}"
