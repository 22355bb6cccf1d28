"""Write book/api-used.md: which chapter builds and which uses each public name.

Names are those that the reference pages show; what a chapter uses is read from its code cells (`hc.cam.alpha`,
or an explainer's or a metric's name in quotes) and its text.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

import holicam as hc
from tools.chapters import Chapter, by_number
from tools.ipynb import BOOK
from tools.pages import written
from tools.site_names import owner_of, pages

PAGE = BOOK / "api-used.md"
PROTOCOLS = ("holistic-cam", "poly-cam")
BUILT = re.compile(r"\bchapter\s+(\d\d)\b")


@dataclass
class Name:
    """A public function or class, and where the book has it."""

    name: str  # as the reference has it, "hc.cam.alpha"
    about: str
    built: list[int]
    used: set[int] = field(default_factory=set)


def public(shown: list[str]) -> dict[object, Name]:
    """The functions and classes that a reference page shows."""
    found = {}
    for dotted in shown:
        path, _, last = dotted.rpartition(".")
        value = getattr(owner_of(path), last)
        said = inspect.cleandoc(value.__doc__ or "")
        found[value] = Name(dotted, said.split("\n")[0], sorted({int(n) for n in BUILT.findall(said)}))
    return found


def title(page: str) -> str:
    """The heading of a page."""
    return re.search(r"^# (.+)$", (BOOK / f"{page}.md").read_text(encoding="utf-8"), re.MULTILINE)[1]


def reached(dotted: str, start: object = hc) -> object | None:
    """What `a.b.c` leads to from `start` on: the first that is no module. None where it leads nowhere."""
    for part in dotted.split("."):
        if not isinstance(start, ModuleType):
            break
        start = getattr(start, part, None)
    return None if isinstance(start, ModuleType) else start


def named(code: list[str]) -> Iterator[object]:
    """What a chapter's cells name from `hc` on, or from what they import."""
    nodes = [node for cell in code for node in ast.walk(ast.parse(cell))]
    names: dict[str, object] = {}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "holicam" in ast.unparse(node):
            exec(ast.unparse(node), names)
    for dotted in {ast.unparse(node) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}:
        first, _, rest = dotted.partition(".")
        if first in names:
            yield reached(rest, names[first]) if rest else names[first]


@cache
def registered() -> dict[str, object]:
    """Explainers' and metrics' names -> classes and functions."""
    return {**hc.explainers, **{name: metric.function for name, metric in hc.metrics.registry.items()}}


def in_quotes(code: list[str]) -> Iterator[object]:
    """What is meant by names in quotes: "grad-cam", and also "map" in a list with "pointing-game".

    A short word alone, "random" or "map", may mean anything, and "holicam"'s protocols share names with methods.
    """
    table = registered()
    for node in (node for cell in code for node in ast.walk(ast.parse(cell))):
        items = getattr(node, "elts", None) or getattr(node, "keys", None) or [node]
        words = [n.value for n in items if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        if any(re.search(r".[-+]", w) and w in table and w not in PROTOCOLS for w in words):
            yield from (table[w] for w in words if w in table)


def names() -> dict[str, dict[object, Name]]:
    """API page -> its public names, with what the chapters use."""
    found = {page: public(shown) for page, shown in pages().items()}
    every = {value: name for part in found.values() for value, name in part.items()}
    for number, chapter in by_number().items():
        text = [reached(dotted.strip(".")) for dotted in re.findall(r"`hc\.([\w.]+)", chapter.text)]
        for value in (*named(chapter.code), *in_quotes(chapter.code), *text):
            if hasattr(value, "__qualname__") and value in every:
                every[value].used.add(number)
    return found


def links(numbers: list[int] | set[int], book: dict[int, Chapter]) -> str:
    return ", ".join(f"{{ref}}`{n} <{book[n].label}>`" for n in sorted(numbers) if n in book) or "–"


@cache
def offered() -> set[object]:
    """What a reader reaches for: every explainer and metric, and all that `hc.metrics` and `hc.sanity` offer."""
    listed = (getattr(room, name) for room in (hc.metrics, hc.sanity) for name in room.__all__)
    return {*registered().values(), *(value for value in listed if hasattr(value, "__qualname__"))}


def page() -> list[str]:
    """The page, line by line."""
    book, out = by_number(), [written("used"), ""]
    for part, found in names().items():
        shown = {value: n for value, n in found.items() if n.built or n.used}
        out += [f"## {title(part)}", "", "| name | built in | used in |", "|---|---|---|"]
        out += [f"| `{n.name}` | {links(n.built, book)} | {links(n.used, book)} |" for n in shown.values()]
        rest = [n for value, n in found.items() if value in offered() and value not in shown]
        out += ["", "Offered, and named in no chapter:", ""] if rest else [""]
        out += [f"- `{n.name}`: {n.about}" for n in rest] + [""]
    return out
