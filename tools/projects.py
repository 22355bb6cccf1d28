"""Write teaching/projects/README.md: twelve claims of the ledger that are undecided, ready to be taken up.

    python -m tools.projects        again, when the ledger has decided one of them

The candidates stand in teaching/projects/projects.toml; the first twelve that are undecided in Toyland are listed.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.ipynb import ROOT
from tools.pages import PAPERS, text
from tools.pages.claims import Ledger

FOLDER = ROOT / "teaching" / "projects"
PAGE, CONFIGURATIONS = FOLDER / "README.md", FOLDER / "configurations"
COUNT = 12
BEFORE = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")


def candidates() -> list[dict]:
    """All projects in the order of the file."""
    return tomllib.loads((FOLDER / "projects.toml").read_text(encoding="utf-8"))["project"]


def claim_of(project: Mapping, ledger: Ledger) -> Mapping:
    """The claim that a project names. Raises ValueError where the ledger has none of that place."""
    for claim in ledger.claims:
        if (claim["paper"], claim["place"]) == (project["paper"], project["place"]):
            return claim
    raise ValueError(
        f"{project['slug']}: data/claims.toml has no claim of {project['paper']} at {project['place']!r}; "
        "write the place as it stands there."
    )


def chosen(ledger: Ledger) -> list[dict]:
    """The first twelve that are undecided. Raises ValueError where fewer are left."""
    left = [p for p in candidates() if ledger.verdict(claim_of(p, ledger), "toyland") == "undecided"]
    if len(left) < COUNT:
        raise ValueError(
            f"Only {len(left)} of the projects are undecided: add claims that are to teaching/projects/projects.toml, "
            "each with a configuration."
        )
    return left[:COUNT]


def state(claim: Mapping, ledger: Ledger) -> str:
    """What the ledger has of a claim in Toyland."""
    found = ledger.answers(claim, "toyland")
    if not found:
        return "no rows ask it yet; the test is yours to write"
    there, planned = min(a.there for a in found), max(a.planned for a in found)
    needed = max((a.needed or 0 for a in found), default=0)
    more = f"; about {needed:,} would be needed for the printed step" if needed else ""
    return f"{there} of {planned} planned drawings are measured{more}"


def entry(number: int, project: Mapping, ledger: Ledger) -> list[str]:
    claim = claim_of(project, ledger)
    paper = PAPERS[project["paper"]][0]
    return [
        f"## {number}. {project['title']}",
        "",
        f"*{paper}, {project['place']}.* {claim['says']}",
        "",
        f"- **The ledger:** {state(claim, ledger)}. Chapter {claim['chapter']} has the background.",
        f"- **The number:** {project['number']}",
        f"- **The trap:** {project['trap']}",
        f"- **To start from:** [`{project['slug']}.toml`](configurations/{project['slug']}.toml)",
        "",
    ]


def page(ledger: Ledger) -> str:
    """The list as it is stored."""
    lines = [BEFORE]
    for number, project in enumerate(chosen(ledger), 1):
        lines += entry(number, project, ledger)
    return text(lines)


def main(arguments: Sequence[str] = ()) -> int:
    if arguments:
        print("This takes no arguments: python -m tools.projects", file=sys.stderr)
        return 2
    PAGE.write_text(page(Ledger()), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} lists {COUNT} claims that are undecided.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
