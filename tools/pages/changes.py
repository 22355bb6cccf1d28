"""Write book/changes.md: of each version in CHANGELOG.md what is new for readers, and which numbers changed."""

from __future__ import annotations

import re

from tools.ipynb import BOOK, ROOT
from tools.pages import written

PAGE = BOOK / "changes.md"
PARTS = {"For readers": "New in the book", "Numbers that changed": "Numbers that changed"}


def versions(text: str) -> dict[str, dict[str, str]]:
    """{version: {section: its text}}; what stands before the first section is at ""."""
    found = {}
    for piece in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, body = piece.partition("\n")
        first, *rest = re.split(r"^### ", body, flags=re.MULTILINE)
        found[name.strip()] = {"": first.strip()} | {
            part.partition("\n")[0].strip(): unwrapped(part.partition("\n")[2]) for part in rest
        }
    return found


def unwrapped(text: str) -> str:
    """List items and paragraphs on one line each."""
    return re.sub(r"(?<!\n)\n(?=[^\n-])\s*", " ", text.strip())


def page() -> list[str]:
    """The lines of the page."""
    out = [written("changes")]
    for name, parts in versions((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")).items():
        out += ["", f"## {name}", ""] + ([unwrapped(parts[""]), ""] if parts[""] else [])
        for part, title in PARTS.items():
            if part in parts:
                out += [f"### {title}", "", parts[part], ""]
    return "\n".join(out).split("\n")
