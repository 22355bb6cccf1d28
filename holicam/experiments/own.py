"""What a configuration names of one's own code: where it is found, what is made of it, and which code it is.

Wherever a configuration has a name it may have a place, "module:name" (`core.own_code`): a class for an explainer,
functions for metrics, data sets and networks.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..core.own_code import OwnCodeError, brief, find, imported, kind_of, look_in
from ..core.places import is_place
from ..datasets import Dataset
from ..datasets.own import dataset_of
from ..metrics.own import enter
from ..models.timms import PREFIX
from .code import file_hash


def is_own_network(name: str) -> bool:
    """Whether a network's name is a place: "resnet50:IMAGENET1K_V2" and "timm:NAME" are not."""
    if not is_place(name) or name.startswith(PREFIX):
        return False
    from torchvision import models

    return name.partition(":")[0] not in models.list_models(module=models)


def anchored(table: Mapping[str, object], folder: Path) -> dict[str, object]:
    """A configuration's table, of which `load` says in full where its own code lies: as given there, then beside it."""
    given = table.get("load", [])
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        return dict(table)  # what is wrong with it is said where all kinds are checked
    if not given and not any(_named(table)):
        return dict(table)
    there = [str((folder / one).resolve()) if (folder / one).exists() else one for one in given]
    return {**table, "load": [*there, str(folder.resolve())]}


def _named(table: Mapping[str, object]) -> Iterator[str]:
    """The places where a table may name code; a note may say anything."""
    yield from _places([table.get(key) for key in ("dataset", "explainers", "metrics", "loaders")])
    yield from filter(is_own_network, _places([table.get(key) for key in ("networks", "reference")]))


def _places(said: object) -> Iterator[str]:
    """Every text in a table that has the form of a place."""
    if isinstance(said, Mapping):
        said = list(said.values())
    if isinstance(said, (list, tuple)):
        for one in said:
            yield from _places(one)
    elif is_place(said):
        yield said


def prepare(load: Sequence[str], metrics: Sequence[str]) -> None:
    """Look where the code lies, and enter metrics of one's own in the registry. Raises OwnCodeError."""
    for said in load:
        if Path(said).exists() or not Path(said).is_absolute():  # else it has gone: what is needed is missed by name
            look_in(said)
    for name in metrics:
        if is_place(name):
            enter(name)


def data_set(place: str, options: Mapping[str, object]) -> Dataset:
    """The data set that a function of one's own makes of the options. Raises OwnCodeError."""
    make = find(place, "a data set")
    if not callable(make):
        raise OwnCodeError(f"{place} must be a function that returns a data set; it is {kind_of(make)}")
    try:
        made = make(**options)
    except (Exception, SystemExit) as error:  # it is not our code
        raise OwnCodeError(f"dataset: {place} failed ({brief(error)})") from error
    try:
        return dataset_of(made, place)
    except (TypeError, ValueError) as error:
        raise OwnCodeError(f"dataset: {error}") from None


def places_of(config: Any) -> list[str]:
    """The places that a `Config` names, each once."""
    named = [name for name in (*config.networks, config.reference) if is_own_network(name)]
    named += [*config.loaders.values(), *config.metrics, str(config.dataset["name"])]
    for entry in config.entries.values():
        named += [entry.name, *_places(entry.fields)]
    return [*dict.fromkeys(filter(is_place, named))]


def code_of(places: Sequence[str]) -> dict[str, str]:
    """{file: the hash of its definitions} of one's own code, and of the files beside it that this imports.

    Files are named below their folder, so that a folder may move. Comments and layout do not count.

    Raises OwnCodeError: a file was changed after Python had imported it.
    """
    found: dict[str, str] = {}
    for module in dict.fromkeys(place.partition(":")[0] for place in places):
        file = getattr(imported(module), "__file__", None)
        if file is None or not file.endswith(".py"):
            found[module] = ""
            continue
        root = Path(file).resolve().parents[module.count(".") + file.endswith("__init__.py")]
        _hash(Path(file).resolve())
        for path in _together(Path(file).resolve(), root, {}):
            found[path.relative_to(root).as_posix()] = _hash(path)
    return dict(sorted(found.items()))


def _together(file: Path, root: Path, seen: dict[Path, None]) -> dict[Path, None]:
    """A file, and those that it imports from its own folder; of an installed package those of the package."""
    if file in seen:
        return seen
    seen[file] = None
    inside = root if str(root) not in _installed() else root / file.relative_to(root).parts[0]
    for name in _imports(_tree(file), file, root):
        path = root / Path(*name.split("."))
        for other in (path.with_suffix(".py"), path / "__init__.py"):
            if name.partition(".")[0] != "holicam" and other.is_file() and other.is_relative_to(inside):
                _together(other, root, seen)
    return seen


def _tree(file: Path) -> ast.Module:
    """The syntax tree of a file, in the encoding that Python reads it in. Raises OwnCodeError, with the file."""
    try:
        with tokenize.open(file) as text:
            return ast.parse(text.read())
    except (SyntaxError, ValueError) as error:
        raise OwnCodeError(f"{file} cannot be read as Python ({brief(error)})") from None


def _installed() -> set[str]:
    return {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}


def _imports(tree: ast.AST, file: Path, root: Path) -> Iterator[str]:
    """The modules that a file may import, as dotted names below the root."""
    here = file.parent.relative_to(root).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = [*here[: len(here) - node.level + 1]] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


@cache
def _as_imported(path: Path) -> str:
    return file_hash(path)


def _hash(path: Path) -> str:
    was = _as_imported(path)
    try:
        if file_hash(path) == was:
            return was
    except SyntaxError:
        pass
    raise OwnCodeError(f"{path} was changed after Python had imported it: start Python again, and it is read anew")
