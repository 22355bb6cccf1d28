"""Numbers in a chapter's prose, read from what its cells have printed: python -m tools.prose_numbers [FILE ...]

A text cell says in its metadata where each of its results stands:

    "numbers": {"0.96": "layer1 {n}", "84 %": "right {n} of"}

The key is the number as it is written in the text; the value is a `find` of tools/pages/found.py with one {n}, which
exactly one code cell of the chapter must have printed. The text may round more than the cell does, and may give a share
in per cent, where the cell prints none: beside a printed "84 %" the key is "84".

After a run this puts the new number where the old one stood; where they agree to a unit of the last digit, as another
processor may round, nothing is touched. With --exact, such as after new rows, that is put right, too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from tools.chapters import Chapter
from tools.ipynb import BOOK, source
from tools.pages.found import number, read
from tools.tidy import write

KEY = "numbers"


def written(said: str, printed: str) -> str:
    """A printed number with as many digits as the text gives, in per cent where the text does: "84 %" of 0.8378."""
    share, value = said.rstrip("% "), Decimal(str(number(printed)))
    if said.endswith("%") and not printed.endswith("%"):
        value *= 100
    places = len(share.partition(".")[2])
    text = f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"
    if "," in share or len(text.partition(".")[0]) > 4:
        text = f"{Decimal(text):,f}"
    return (text.replace("-", "−") if "−" in share or text.startswith("-") else text) + said[len(share) :]


def same(said: str, new: str) -> bool:
    """Whether two written numbers differ by at most one unit of the last digit, as another processor may round."""
    left, right = (Decimal(str(number(each.rstrip("% ")))) for each in (said, new))
    return abs(left - right) <= Decimal(1).scaleb(-len(said.rstrip("% ").partition(".")[2]))


def stands(said: str) -> re.Pattern:
    """Where a text has this number, and no longer one that holds it."""
    return re.compile(rf"(?<![\w.,−-]){re.escape(said)}(?![\w]|[.,]\d)")


def numbers(chapter: Chapter) -> Iterator[tuple[dict, str, str]]:
    """(cell, number as it stands, number as it should). Raises ValueError: not in the text, or printed nowhere."""
    for cell in chapter.notebook["cells"]:
        for said, find in cell["metadata"].get(KEY, {}).items():
            if not stands(said).search(source(cell)):
                raise ValueError(f"{chapter.path.name}: {said!r} is promised in a text that does not have it")
            _, found = read(chapter, find)
            yield cell, said, written(said, found["n"])


def renew(path: Path, exact: bool = False) -> int:
    """Put the numbers of a chapter right; how many were wrong. exact: a unit of the last digit is wrong, too."""
    chapter = Chapter(path)
    told = [(cell, said, new) for cell, said, new in numbers(chapter) if said != new]
    wrong = [each for each in told if exact or not same(*each[1:])]
    for cell, said, new in wrong:
        cell["source"] = stands(said).sub(new, source(cell)).splitlines(True)
        cell["metadata"][KEY] = {new if key == said else key: find for key, find in cell["metadata"][KEY].items()}
    if wrong:
        write(chapter.notebook, path)
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, default=sorted(BOOK.glob("*.ipynb")))
    parser.add_argument("--exact", action="store_true", help="also where the last digit differs by one")
    given = parser.parse_args()
    for path in given.files:
        try:
            if count := renew(path, given.exact):
                print(f"{path.name}: {count} numbers renewed; read the sentences round them again")
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
