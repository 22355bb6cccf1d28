"""What a chapter has printed of a claim: numbers of data/claims.toml that are read and not typed.

`find` describes a piece of a chapter's stored output, and the numbers on the page are those that stand there.

    find  = "layer2 {first} ... fused {fused}"
            a space is any white space, ... is anything, {name} is a number; exactly one cell of the
            chapter must have printed it. Several pieces: a list.
    check = "fused > first"        Python that must be true of these numbers; for identities, whose verdict is typed
    ours  = "{first} alone, {fused} fused"      what the page says
"""

import re
from collections.abc import Mapping

from tools.chapters import Chapter

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
    """A printed number, its commas and its per cent sign left out."""
    return float(printed.rstrip("%").replace(",", "").replace("−", "-"))


def finding(claim: Mapping, book: Mapping[int, Chapter]) -> str:
    """The sentence with a chapter's numbers, and links to chapter, cells and figure; "" without a chapter.

    Raises ValueError where the numbers are gone, or where `check` is not true of them.
    """
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
    if "ours" not in claim:
        return ", ".join(where)
    return f"{claim['ours'].format(**printed)} ({', '.join(where)})"
