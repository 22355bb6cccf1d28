"""The public names of the reference pages, read from the pages themselves.

A page asks for explainers (```{explainer} grad-cam```) and for names of a part of the package (```{names} hc.cam```);
what it shows is therefore known before the site is built, for links in docstrings and for tests.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from functools import cache
from pathlib import Path

import holicam as hc

BOOK = Path(__file__).resolve().parent.parent / "book"
LABELS = {path.stem[:2]: f"sec-{path.stem[3:]}" for path in BOOK.glob("[0-9][0-9]-*.ipynb")}
DIRECTIVE = re.compile(r"^```\{(explainer|names)\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def owner_of(path: str) -> object:
    """The package, room or module that "hc", "hc.metrics" or "hc.cam" means."""
    found = hc
    for part in path.split(".")[1:]:
        found = getattr(found, part, None) or importlib.import_module(f"{found.__name__}.{part}")
    return found


def own(module: object) -> list[str]:
    """What a module offers: its `__all__`, else the functions and classes that it defines, in their order."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if inspect.isroutine(o := getattr(module, name)) or inspect.isclass(o)]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__ and callable(value)
    ]


def chosen(path: str, content: str) -> list[str]:
    """The names that a `names` directive shows: those it lists, or all that the module offers."""
    listed = [word for line in content.splitlines() if not line.startswith(":") for word in line.split()]
    return listed or own(owner_of(path))


def shown_by(page: Path) -> list[str]:
    """Every name that a page documents, "hc.GradCAM" or "hc.cam.alpha", in its order."""
    found = []
    for kind, argument, content in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
        if kind == "explainer":
            found.append(f"hc.{hc.explainers[argument].__name__}")
        else:
            found += [f"{argument}.{name}" for name in chosen(argument, content)]
    return found


def pages() -> dict[str, list[str]]:
    """Page -> the names it documents."""
    return {p.stem: names for p in sorted(BOOK.glob("api*.md")) if (names := shown_by(p))}


@cache
def documented() -> dict[int, str]:
    """id of a function or class -> the name under which the reference has it."""
    names = [name for shown in pages().values() for name in shown]
    return {id(getattr(owner_of(path), last)): name for name in names for path, _, last in [name.rpartition(".")]}


@cache
def every_name() -> frozenset[str]:
    """All names that the reference has."""
    return frozenset(documented().values())


def resolved(text: str, module: str) -> str | None:
    """The documented name that `text` means in a docstring of this module, or None.

    "cam.alpha" may be said as the module's code would say it, as a reader would after `hc.`, or with the last name
    of the file in which it is written.
    """
    first, *rest = text.split(".")
    here = sys.modules.get(module)
    starts = [vars(here).get(first) if here else None, getattr(hc, first, None) if first in hc.__all__ else None]
    starts += [m for name, m in list(sys.modules.items()) if name.startswith("holicam.") and name.endswith("." + first)]
    for found in starts:
        for part in rest:
            found = getattr(found, part, None)
        if found is not None and id(found) in documented():
            return documented()[id(found)]
    same = [name for name in every_name() if rest and name.endswith(f".{rest[-1]}")]
    return same[0] if len(same) == 1 else None


def register() -> None:
    """Let `hc` and its parts be found as modules of these names, as readers write them; no file is loaded twice."""
    sys.modules.setdefault("hc", hc)
    for name in hc.__all__:
        if not inspect.ismodule(part := getattr(hc, name, None)):
            continue
        sys.modules.setdefault(f"hc.{name}", part)
        for entry in pkgutil.iter_modules(getattr(part, "__path__", ())):
            sys.modules.setdefault(f"hc.{name}.{entry.name}", importlib.import_module(f"{part.__name__}.{entry.name}"))
