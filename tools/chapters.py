"""What the chapters say of themselves, read from the notebooks: nothing of it is kept a second time.

The question is the text below the title. Objectives stand in a folded box "You will be able to", prerequisites in
another, "You need", as links to chapters. A sentence there with the words "looks ahead" names a later chapter that one
experiment borrows from; it is no prerequisite. "Paper notes" is the section that the site folds: what it says of a
paper's details counts as no reading time.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from tools.ipynb import DROPDOWN, ROOT, code_cells, prose, read, run_of, source, texts, words_of
from tools.markup import EXERCISE

WORDS_A_MINUTE = 100  # text between formulas, figures and code is read slowly
AHEAD = "looks ahead"
REFERENCE = re.compile(r"\{ref\}`(?:[^`<]*<)?(sec-[\w-]+)>?`")
WORD = re.compile(r"[\w’'-]*\w[\w’'-]*")
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
BOX = re.compile(r"^(`{3,})\{dropdown\} ([^\n]+)\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
NOTES = "Paper notes"
CORE = (1, 3, 4, 7, 14, 18, 19, 24)  # the chapters of the core path, to be read in an afternoon
LEVEL = re.compile(r"^\*Level [123] of 3, (\d+) minutes\.\*$", re.MULTILINE)  # the first line of an exercise


@dataclass(frozen=True)
class Chapter:
    """One notebook, what can be read from its text cells, and what its code cells have printed."""

    path: Path
    part: str = ""

    @cached_property
    def notebook(self) -> dict:
        return read(self.path)

    @cached_property
    def code(self) -> list[str]:
        """The sources of the code cells."""
        return [source(cell) for cell in code_cells(self.notebook)]

    @cached_property
    def printed(self) -> dict[int, str]:
        """Execution count of a cell -> the text it has printed or returned."""
        ran = (cell for cell in code_cells(self.notebook) if cell["execution_count"])
        return {cell["execution_count"]: "\n".join(map(words_of, cell["outputs"])) for cell in ran}

    @property
    def number(self) -> int:
        return int(self.path.stem[:2])

    @property
    def label(self) -> str:
        return f"sec-{self.path.stem[3:]}"

    @cached_property
    def text(self) -> str:
        """All text cells, in order."""
        return "\n\n".join(texts(self.notebook))

    @cached_property
    def title(self) -> str:
        return re.search(r"^# (.+)$", self.text, re.MULTILINE).group(1).strip()

    @cached_property
    def sections(self) -> dict[str, str]:
        """Heading of the second level, or title of a folded box -> what stands below it, or in it."""
        pieces = SECTION.split(self.text)
        boxes = {title.strip(): body.strip() for _, title, body in BOX.findall(self.text) if title.startswith("You ")}
        return boxes | {name.strip(): body.strip() for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}

    def section(self, start: str) -> str:
        """The text of the first section whose heading begins with `start`; empty where there is none."""
        return next((body for name, body in self.sections.items() if name.startswith(start)), "")

    @property
    def question(self) -> str:
        """What stands between the title and the first box, picture or section."""
        below = re.split(r"^# .+$", self.text, maxsplit=1, flags=re.MULTILINE)[1]
        return re.split(r"^(?:#{2,3} |[`:]{3,}\{|\(|!\[)", below, maxsplit=1, flags=re.MULTILINE)[0].strip()

    def bullets(self, start: str) -> list[str]:
        """The list items of a section, each on one line."""
        return [
            re.sub(r"\s+", " ", item).strip() for item in re.split(r"^- ", self.section(start), flags=re.MULTILINE)[1:]
        ]

    @property
    def objectives(self) -> list[str]:
        return [item.rstrip(";.") for item in self.bullets("You will be able to")]

    def _linked(self, ahead: bool) -> list[str]:
        lines = [line for line in self.section("You need").splitlines() if (AHEAD in line) == ahead]
        return list(dict.fromkeys(REFERENCE.findall("\n".join(lines))))

    @property
    def needs(self) -> list[str]:
        """Labels that "You need" links to, other pages than chapters included."""
        return self._linked(ahead=False)

    @property
    def looks_ahead(self) -> list[str]:
        return self._linked(ahead=True)

    @property
    def exercises(self) -> list[tuple[str, str]]:
        """Title and label of each exercise."""
        return [(title.strip(), label) for _, title, label, _ in EXERCISE.findall(self.text)]

    @cached_property
    def words(self) -> int:
        """Words of the text without the exercises, their solutions and what is folded."""
        return words(self.notebook, ("Exercises", NOTES))

    @property
    def minutes(self) -> int:
        """Minutes to read the chapter, rounded to five."""
        return 5 * round(self.words / WORDS_A_MINUTE / 5)

    @property
    def seconds(self) -> float | None:
        """Wall time of the run whose outputs are stored."""
        return run_of(self.notebook).get("seconds")


def words(notebook: dict, without: tuple[str, ...]) -> int:
    """Words of what is not folded, but for the sections whose headings begin so."""
    count, out = 0, False
    for text in texts(notebook):
        pieces = SECTION.split(DROPDOWN.sub("", text))
        for name, body in zip([None, *pieces[1::2]], pieces[::2], strict=True):
            out = out if name is None else name.startswith(without)
            count += 0 if out else len(WORD.findall(prose(f"{name or ''}\n{body}")))
    return count


def load(root: Path = ROOT) -> list[Chapter]:
    """The numbered chapters in the order of the table of contents, each with its part."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [
        Chapter((root / entry["file"]).with_suffix(".ipynb"), part["caption"])
        for part in toc["parts"]
        for entry in part["chapters"]
        if re.match(r"book/\d\d-", entry["file"]) and (root / f"{entry['file']}.ipynb").exists()
    ]


def by_number() -> dict[int, Chapter]:
    """Number -> chapter, in order."""
    return {chapter.number: chapter for chapter in load()}


def prerequisites(chapters: list[Chapter]) -> dict[str, list[str]]:
    """Label of each chapter -> labels of the chapters it needs."""
    known = {c.label for c in chapters}
    return {c.label: [label for label in c.needs if label in known] for c in chapters}


def reduced(needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same graph without the links that follow from others."""

    def below(label: str) -> set[str]:
        return set(needs[label]).union(*(below(n) for n in needs[label]))

    return {
        label: [n for n in direct if not any(n in below(m) for m in direct if m != n)]
        for label, direct in needs.items()
    }
