"""Write book/claims.md, the claim ledger, from data/claims.toml.

A claim names the paper and the place, says what is claimed, and holds our verdict with a reason.
Its numbers are not typed: `find` describes a piece of a chapter's stored output, and the numbers on
the page are those that stand there.

    find  = "layer2 {first} ... fused {fused}"
            a space is any white space, ... is anything, {name} is a number; exactly one cell of the
            chapter must have printed it. Several pieces: a list.
    check = "fused > first"        Python that must be true of these numbers, so that the verdict cannot go stale
    ours  = "{first} alone, {fused} fused"      what the page says
"""

import re
import tomllib

from tools.chapters import Chapter, by_number
from tools.ipynb import BOOK, ROOT
from tools.pages import PAPERS, written

SOURCE, PAGE = ROOT / "data" / "claims.toml", BOOK / "claims.md"
VERDICTS = {"holds": "holds", "partly": "holds in part", "fails": "does not hold", "open": "not checked here"}
# Every figure and table of the papers; a claim `covers` some of them.
PRINTED = {
    "holistic": (
        [f"Fig. {n}" for n in range(1, 10)]
        + ["Table 1", "Table 2"]
        + [f"Table A{n}" for n in range(1, 7)]
        + ["Fig. A1", "Fig. A2", "poster"]
    ),
    "polycam": [f"Fig. {n}" for n in range(1, 29)] + [f"Table {n}" for n in range(1, 6)],
    "ucag": [f"Fig. {n}" for n in range(1, 6)] + [f"Table {n}" for n in range(1, 6)],
}
NUMBER = r"(?P<{}>[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?)"
KNOWN = {"__builtins__": {"max": max, "min": min, "abs": abs}}  # what a check may call


def pattern(find: str) -> re.Pattern:
    """The regular expression of a `find`."""
    out = ""
    for piece in re.split(r"(\{\w+\}|\.\.\.|\s+)", find):
        if re.fullmatch(r"\{\w+\}", piece):
            out += NUMBER.format(piece[1:-1])
        elif piece == "...":
            out += r".*?"
        else:
            out += r"\s+" if piece.isspace() else re.escape(piece)
    return re.compile(rf"(?<![\w.]){out}", re.DOTALL)


def read(chapter: Chapter, find: str) -> tuple[int, dict[str, str]]:
    """The cell that printed it, and the numbers as they are printed. ValueError unless it is one cell."""
    wanted = pattern(find)
    hits = [(count, hit) for count, said in chapter.printed.items() if (hit := wanted.search(said))]
    if len(hits) != 1:
        cells = [count for count, _ in hits]
        raise ValueError(f"{chapter.path.name}: {find!r} is in {f'cells {cells}' if cells else 'no cell'}")
    return hits[0][0], hits[0][1].groupdict()


def number(printed: str) -> float:
    return float(printed.rstrip("%").replace(",", "").replace("−", "-"))


def claims() -> list[dict]:
    """The claims as they stand in the file."""
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))["claim"]


def finding(claim: dict, book: dict[int, Chapter]) -> str:
    """Our side of a claim: the sentence with its numbers, and links to the cells and the figure."""
    if "chapter" not in claim:
        return ""
    chapter, printed, cells = book[claim["chapter"]], {}, []
    finds = claim.get("find", [])
    for find in [finds] if isinstance(finds, str) else finds:
        cell, numbers = read(chapter, find)
        printed |= numbers
        cells += [cell] if cell not in cells else []
    if not eval(claim.get("check", "True"), KNOWN, {k: number(v) for k, v in printed.items()}):
        raise ValueError(f"{claim['place']}: {claim['check']!r} is not true of {printed}")
    where = [f"{{ref}}`chapter {chapter.number} <{chapter.label}>`"]
    where += [f"{{ref}}`cell {n} <cell-{chapter.number:02d}-{n}>`" for n in cells]
    where += [f"{{numref}}`{claim['figure']}`"] if "figure" in claim else []
    return f"{claim['ours'].format(**printed)} ({', '.join(where)})"


def totals(found: list[dict]) -> list[str]:
    """Papers and verdicts, counted."""
    out = ["| paper | " + " | ".join(VERDICTS.values()) + " | together |", "|---" * (len(VERDICTS) + 2) + "|"]
    for paper, (name, _) in PAPERS.items():
        row = [sum((c["paper"], c["verdict"]) == (paper, v) for c in found) for v in VERDICTS]
        out.append(f"| {name} | {' | '.join(map(str, row))} | {sum(row)} |")
    row = [sum(c["verdict"] == v for c in found) for v in VERDICTS]
    return [*out, f"| all | {' | '.join(map(str, row))} | {sum(row)} |"]


def index(found: list[dict]) -> list[str]:
    """Each figure and table of the papers, and what became of it."""
    out = [
        "## Every figure and table",
        "",
        "What the three papers print, and the verdicts of the claims above that rest on it.",
        "",
    ]
    for paper, (name, _) in PAPERS.items():
        out += [f"{name}", ""]
        for printed in PRINTED[paper]:
            said = [VERDICTS[c["verdict"]] for c in found if c["paper"] == paper and printed in c["covers"]]
            count = [f"{w}{f' ({said.count(w)})' if said.count(w) > 1 else ''}" for w in dict.fromkeys(said)]
            out.append(f"- {printed}: {', '.join(count)}")
        out.append("")
    return out


def page() -> list[str]:
    """The page, line by line."""
    found, book = claims(), by_number()
    out = [written("claims"), "", *totals(found), ""]
    for paper, (name, key) in PAPERS.items():
        out += [f"## {name}", "", f"{{cite:t}}`{key}`.", ""]
        for claim in (c for c in found if c["paper"] == paper):
            out += [f"{claim['place']}: *{VERDICTS[claim['verdict']]}*", f": *The paper:* {claim['says']}"]
            out += [f": *Here:* {ours}." for ours in [finding(claim, book)] if ours]
            out += [f": {claim['why']}", ""] if "why" in claim else [""]
    return out + index(found)
