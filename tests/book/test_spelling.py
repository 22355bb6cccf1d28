"""No known misspelling in the book's prose: pages, text cells, captions and descriptions of pictures.

codespell carries its dictionary of misspellings with it, so nothing is fetched.
"""

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.helpers.book_guards import prose, source

ROOT = Path(__file__).resolve().parents[2]
DICTIONARIES = "clear,rare,informal"
# The book is written in British English; these are right in it, too, or are names.
EITHER = {"story", "license", "licensed", "program", "center"}
CITATION = re.compile(r"\{cite:\w+\}`[^`]+`")
QUOTED = re.compile(r"“[^”]*”")


def words(markdown: str) -> str:
    """Prose without the keys of papers and without “their own words”, which spell as their authors do."""
    return prose(QUOTED.sub("", CITATION.sub("", markdown)))


def american() -> dict[str, str]:
    """American spellings -> British ones, from codespell's own list."""
    list_ = files("codespell_lib").joinpath("data/dictionary_en-GB_to_en-US.txt").read_text(encoding="utf-8")
    pairs = [line.split("->") for line in list_.splitlines() if "->" in line]
    british = {gb for gb, _ in pairs}
    return {
        us.strip(): gb
        for gb, many in pairs
        for us in many.split(",")
        if us.strip() and us.strip() not in british | EITHER
    }


def passages() -> dict[str, str]:
    """Name of a page -> its words; one file a page, so that a slip is reported with its place."""
    pages = [*(ROOT / "book").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "teaching").glob("*.md")]
    found = {p.relative_to(ROOT).as_posix(): words(p.read_text(encoding="utf-8")) for p in pages}
    for path in (ROOT / "book").glob("[0-9]*.ipynb"):
        parts = []
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            about = cell["metadata"].get("mystnb", {})
            parts.append(words("\n".join(cell["metadata"].get("slide", []))))
            parts += (
                [words(source(cell))]
                if cell["cell_type"] == "markdown"
                else [about.get("figure", {}).get("caption", ""), about.get("image", {}).get("alt", "")]
            )
        found[path.relative_to(ROOT).as_posix()] = "\n".join(parts)
    return found


def misspelt(texts: dict[str, str], folder: Path) -> list[str]:
    """Lines "page:line: wrong ==> right"."""
    for name, text in texts.items():
        (folder / name.replace("/", "__")).with_suffix(".txt").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "--builtin", DICTIONARIES, str(folder)]
    said = subprocess.run(command, capture_output=True, text=True)
    assert not said.stderr, said.stderr
    return said.stdout.replace(f"{folder}/", "").splitlines()


def test_spelling(tmp_path):
    texts = passages()
    assert sum(name.endswith(".ipynb") for name in texts) >= 19 and "book/intro.md" in texts
    slips = misspelt(texts, tmp_path)
    assert not slips, "\n".join(slips)


@pytest.mark.parametrize("wrong", ["teh map", "an explaination", "it occured"])
def test_a_slip_is_found(wrong, tmp_path):
    assert misspelt({"page.md": f"Here stands {wrong}."}, tmp_path)


def test_one_english():
    """Colour, not color: one spelling in the whole book."""
    other = american()
    assert other["color"] == "colour"
    for name, text in passages().items():
        slips = {w: other[w] for w in re.findall(r"[a-z]+", text.lower()) if w in other}
        assert not slips, f"{name}: {slips}"
