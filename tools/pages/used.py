"""Write book/api-used.md: which chapter builds and which uses each public name.

Names are those of the reference pages; what a chapter uses is read from its code cells (`hc.cam.alpha`, or an
explainer's or a metric's name in quotes) and its text.
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
from tools.ipynb import BOOK, ROOT
from tools.pages import written
from tools.site_names import owner_of, register, shown_by

PAGE = BOOK / "api-used.md"
PROTOCOLS = ("holistic-cam", "poly-cam")
BUILT = re.compile(r"\bchapter\s+(\d\d)\b")


@dataclass
class Name:
    """A public function or class, and where the book has it."""

    name: str
    about: str
    built: list[int]
    used: set[int] = field(default_factory=set)


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


def public(page: str) -> dict[int, Name]:
    """What a reference page documents, by the id of each function and class."""
    found = {}
    for name in shown_by(BOOK / f"{page}.md"):
        path, _, last = name.rpartition(".")
        value = getattr(owner_of(path), last)
        said = inspect.cleandoc(value.__doc__ or "")
        found[id(value)] = Name(name, said.split("\n")[0], sorted({int(n) for n in BUILT.findall(said)}))
    return found


def names() -> dict[str, dict[int, Name]]:
    """Reference page -> its names, with what the chapters use; pages in the order of the contents."""
    register()  # a page may name files that nothing has loaded
    pages = re.findall(r"file: book/(api[\w-]*)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = {page: some for page in pages if (some := public(page))}
    every = {key: name for part in found.values() for key, name in part.items()}
    for number, chapter in by_number().items():
        text = [reached(dotted.strip(".")) for dotted in re.findall(r"`hc\.([\w.]+)", chapter.text)]
        for value in (*named(chapter.code), *in_quotes(chapter.code), *text):
            if id(value) in every:
                every[id(value)].used.add(number)
    return found


def links(numbers: list[int] | set[int], book: dict[int, Chapter]) -> str:
    return ", ".join(f"{{ref}}`{n} <{book[n].label}>`" for n in sorted(numbers) if n in book) or "–"


@cache
def offered() -> list[object]:
    """What a reader reaches for: every explainer and metric, and all that `hc.metrics` and `hc.sanity` offer."""
    listed = (getattr(room, name) for room in (hc.metrics, hc.sanity) for name in room.__all__)
    return [*registered().values(), *(v for v in listed if inspect.isclass(v) or inspect.isroutine(v))]


def page() -> list[str]:
    """The page, line by line."""
    book, out = by_number(), [written("used"), ""]
    wanted = {id(value) for value in offered()}
    for part, found in names().items():
        shown = {key: n for key, n in found.items() if n.built or n.used}
        rest = [n for key, n in found.items() if key in wanted and key not in shown]
        if shown or rest:
            title = (BOOK / f"{part}.md").read_text(encoding="utf-8").split("\n# ")[1].split("\n")[0]
            out += [f"## {title}", "", "| name | built in | used in |", "|---|---|---|"]
            out += [f"| `{n.name}` | {links(n.built, book)} | {links(n.used, book)} |" for n in shown.values()]
            out += ["", "Offered, and named in no chapter:", ""] if rest else [""]
            out += [f"- `{n.name}`: {n.about}" for n in rest] + [""]
    return out
