"""Write book/cite.md: BibTeX and a line of text from CITATION.cff, which is the one place where they are edited."""

from __future__ import annotations

import re

import yaml

from tools.ipynb import BOOK, ROOT
from tools.pages import PAPERS, written

PAGE = BOOK / "cite.md"


def year(about: dict) -> str:
    """Of the release, or of the site's copyright where none is dated."""
    if "date-released" in about:
        return str(about["date-released"])[:4]
    return str(yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["copyright"])


def people(about: dict) -> list[str]:
    """Names, family names first."""
    return [
        f"{who['family-names']}, {who['given-names']}" if "family-names" in who else who["name"]
        for who in about["authors"]
    ]


def entry(about: dict) -> str:
    """BibTeX of the book."""
    names = " and ".join(name if ", " in name else f"{{{name}}}" for name in people(about))
    fields = {
        "author": names,
        "title": about["title"].replace("holicam", "{holicam}", 1),
        "year": year(about),
        "version": str(about["version"]),
        "url": about["repository-code"],
    }
    wide = max(map(len, fields))
    rows = ",\n".join(f"  {key.ljust(wide)} = {{{value}}}" for key, value in fields.items())
    return f"@{about['type']}{{holicam,\n{rows}\n}}"


def papers() -> str:
    """BibTeX of the papers that the book follows, as in references.bib."""
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    return "\n\n".join(
        re.search(rf"^@\w+\{{{key},.*?^\}}", text, re.DOTALL | re.MULTILINE)[0] for _, key in PAPERS.values()
    )


def page() -> list[str]:
    """The lines of the page."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    line = (
        f"{'; '.join(people(about))} ({year(about)}). *{about['title']}*, version {about['version']}. "
        f"<{about['repository-code']}>"
    )
    return written("cite", line=line, entry=entry(about), papers=papers()).split("\n")
