"""What the ledger says of a claim, as a slide shows it: read from book/claims.md, which a test holds to its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.ipynb import BOOK

PAGE = BOOK / "claims.md"
ENTRY = re.compile(r"^:::::\{div\} claim paper-(\w+) [^\n]*\n([^\n]+)\n(.*?)^:::::$", re.DOTALL | re.MULTILINE)
OUTCOME = re.compile(r"^: (\*\*(?:Toyland|Photographs): .+|\*Here:\* .+?)(?: \(\{ref\}.*)?$", re.MULTILINE)
LOOK = re.compile(r"^: \*To look at, on ([^:]+):\* (.+?)(?: \(\{ref\}.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Claim:
    """Markdown: the paper's words, what was asked, what became of them in each world, and what a few images show."""

    says: str
    asked: str
    outcomes: tuple[str, ...]
    seen: str


@cache
def ledger(page: Path = PAGE) -> dict[str, Claim]:
    """ "holistic, Fig. 1" -> the claim."""
    found = {}
    for paper, head, body in ENTRY.findall(page.read_text(encoding="utf-8")):
        place, _, verdict = head.partition(": *")
        place = place.partition(", ")[2] if verdict else place
        outcomes = ([f"**{verdict.rstrip('*').capitalize()}.**"] if verdict else []) + OUTCOME.findall(body)
        look = LOOK.search(body)
        seen = f"On {look[1]}: {look[2].rstrip('.')}." if look else ""
        says, asked = (re.search(rf"^: \*{word}:\* (.+)$", body, re.M) for word in ("The paper", "Asked"))
        found[f"{paper}, {place}"] = Claim(says[1], asked[1] if asked else "", tuple(outcomes), seen)
    return found


def claim(key: str) -> Claim:
    """A claim by its key. KeyError lists the keys of the same paper."""
    if key not in ledger():
        near = [other for other in ledger() if other.split(",")[0] == key.split(",")[0]]
        raise KeyError(f"the ledger has no claim {key!r}; it has {near or sorted(ledger())}")
    return ledger()[key]
