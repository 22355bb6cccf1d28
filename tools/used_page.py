"""Write book/api-used.md, which chapter builds and which uses each public name: python tools/used_page.py

Names come from the modules that the API pages show, read from the source; what a chapter uses is read
from its code cells (`hc.cam.alpha`, or an explainer's or a metric's name in quotes) and its text.
"""

import ast
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import pages  # noqa: E402
from tools.chapters import Chapter, by_number  # noqa: E402
from tools.digest import Key, Package  # noqa: E402

PAGE = pages.BOOK / "api-used.md"
PAGES = {"api-explainers": "Explainers", "api-evaluation": "Metrics and sanity checks", "api": "Everything else"}
PROTOCOLS = ("holistic-cam", "poly-cam")
BUILT = re.compile(r"\bchapter\s+(\d\d)\b")
HEAD = """(sec-api-used)=
# Which chapter builds what

Every public name of {ref}`sec-api`, {ref}`sec-api-explainers` and {ref}`sec-api-evaluation`, the chapter that \
builds it from nothing, and all chapters that use it.
The page is read from the source and from the stored chapters.
"""


@dataclass
class Name:
    """A public function or class, and where the book has it."""

    module: str
    name: str
    about: str
    built: list[int]
    used: set[int] = field(default_factory=set)


def modules(page: str) -> list[str]:
    """The modules below holicam that an API page shows."""
    text = (pages.BOOK / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^\.\. automodule:: holicam\.([\w.]+)$", text, re.MULTILINE)


def public(package: Package, module: str) -> dict[Key, Name]:
    """The functions and classes of a module that need no underscore."""
    found = {}
    for name, statements in package.modules[module].definitions.items():
        for node in statements:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not name.startswith("_"):
                said = ast.get_docstring(node) or ""
                built = sorted({int(n) for n in BUILT.findall(said)})
                found[module, name] = Name(module, name, said.split("\n")[0], built)
    return found


def named(package: Package, tree: ast.AST) -> set[Key]:
    """The definitions that a chapter's code names from `hc` on, or imports."""
    aliases: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {a.asname or a.name: "" for a in node.names if a.name == "holicam"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "holicam":
            inner = ".".join(node.module.split(".")[1:])
            aliases |= {a.asname or a.name: package.find(inner, a.name) for a in node.names}

    def value(node: ast.AST) -> object:
        if isinstance(node, ast.Name):
            return aliases.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(owner := value(node.value), str):
            return package.find(owner, node.attr)
        return None

    return {v for node in ast.walk(tree) if isinstance(v := value(node), tuple)}


@cache
def registered() -> dict[str, Key]:
    """Explainers' and metrics' names -> their definitions, read from the two registries' source."""
    package, found = Package(), {}
    table = package.modules["explain"].definitions["_TABLE"][0].value
    for key, value in zip(table.keys, table.values, strict=True):
        module, name = value.elts[0].value.split(":")
        found[key.value] = package.find(module, name)
    for node in ast.walk(package.modules["metrics.table"].tree):
        match node:
            case ast.Call(func=ast.Name(id="Metric"), args=[ast.Constant(value=name), ast.Name(id=function), *_]):
                found[name] = package.find("metrics.table", function)
    return found


def in_quotes(tree: ast.AST) -> set[Key]:
    """What is meant by names in quotes: "grad-cam", and also "map" in a list with "pointing-game".

    A short word alone, "random" or "map", may mean anything, and "holicam"'s protocols share names with methods.
    """
    table, keys = registered(), set()
    for node in ast.walk(tree):
        items = getattr(node, "elts", None) or getattr(node, "keys", None) or [node]
        words = [n.value for n in items if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        if any(re.search(r".[-+]", w) and w in table and w not in PROTOCOLS for w in words):
            keys |= {table[w] for w in words if w in table}
    return keys


def names() -> dict[str, dict[Key, Name]]:
    """API page -> its public names, with what the chapters use."""
    package = Package()
    found = {page: {k: v for m in modules(page) for k, v in public(package, m).items()} for page in PAGES}
    every = {k: v for part in found.values() for k, v in part.items()}
    for number, chapter in by_number().items():
        trees = [ast.parse(code) for code in chapter.code]
        tree = ast.Module([s for t in trees for s in t.body], [])
        keys = named(package, tree) | in_quotes(tree)
        for dotted in re.findall(r"`hc\.([\w.]+)", chapter.text):
            where: object = ""
            for part in dotted.strip(".").split("."):
                where = package.find(where, part) if isinstance(where, str) else where
            keys |= {where} if isinstance(where, tuple) else set()
        for key in keys & every.keys():
            every[key].used.add(number)
    return found


def links(numbers: list[int] | set[int], book: dict[int, Chapter]) -> str:
    return ", ".join(f"{{ref}}`{n} <{book[n].label}>`" for n in sorted(numbers) if n in book) or "–"


@cache
def offered() -> set[Key]:
    """What a reader reaches for: every explainer, and all that `hc.metrics` and `hc.sanity` offer."""
    package, found = Package(), set(registered().values())
    for module in ("metrics", "sanity"):
        names = ast.literal_eval(package.modules[module].definitions["__all__"][0].value)
        found |= {key for name in names if isinstance(key := package.find(module, name), tuple)}
    return found


def page() -> list[str]:
    """The page, line by line."""
    book, out = by_number(), [HEAD, ""]
    for part, found in names().items():
        shown = {key: n for key, n in found.items() if n.built or n.used}
        out += [f"## {PAGES[part]}", "", "| name | built in | used in |", "|---|---|---|"]
        out += [f"| `{n.module}.{n.name}` | {links(n.built, book)} | {links(n.used, book)} |" for n in shown.values()]
        rest = [n for key, n in found.items() if key in offered() and key not in shown]
        out += ["", "Offered, and named in no chapter:", ""] if rest else [""]
        out += [f"- `{n.module}.{n.name}`: {n.about}" for n in rest] + [""]
    return out


if __name__ == "__main__":
    pages.write(PAGE, page())
