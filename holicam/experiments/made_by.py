"""Which code made rows: kept beside the parts of a run, joined with them, and compared with today's.

code/HASH.json     {file of holicam: the hashes of its definitions}, of every code that wrote parts of this run

A part says which of them made it. The manifest of merged rows has them all together, as {"hash": ..., "files":
{file: its hash}}; `code.changed` compares that with today's files, by content: a comment or a move is no change.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from .code import PACKAGE, definitions, joined_hash, loaded, short_hash
from .part_file import about
from .whole_files import write_new

ROOMS = ("toyland", "models", "datasets", "core", "methods", "metrics")
OURS = ("work", "rows", "scoring", "class_pairs", "loading", "entries", "naming", "speed")  # the rest moves no value
FOLDER = "code"
Code = Mapping[str, Sequence[str]]  # {file: the hashes of its definitions}


@cache
def _as_imported(file: str) -> tuple[str, ...]:
    """Read once, when it is first asked for: a file that is edited while a run goes on made nothing of it."""
    return definitions(PACKAGE / file)


def makers() -> dict[str, tuple[str, ...]]:
    """The code that this process has imported and that may move a value of a row."""
    ours = {f"experiments/{name}.py" for name in OURS}
    return {file: _as_imported(file) for file in loaded() if file.split("/")[0] in ROOMS or file in ours}


def note(out: Path) -> str:
    """Keep the code of this process beside the parts of a run. Returns its hash, which its parts carry."""
    code = makers()
    name = _hash(code)
    path = out / FOLDER / f"{name[:16]}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was faster
            write_new(path, (json.dumps(code, indent=1, sort_keys=True) + "\n").encode())
    return name


def _hash(code: Code) -> str:
    return joined_hash(one for found in code.values() for one in found)


def of_parts(out: Path, parts: Iterable[Path]) -> tuple[dict[str, object] | None, str]:
    """(the code of merged parts as a manifest has it, None where it is not known; what a user must hear of it)."""
    names = {about(path).get("code") for path in parts}
    codes = [code for name in names if (code := _read(out, name))]
    if len(codes) < len(names):
        return None, "some of its parts do not say which code made them"
    together: dict[str, set[tuple[str, ...]]] = {}
    for code in codes:
        for file, found in code.items():
            together.setdefault(file, set()).add(tuple(found))
    several = sorted(file for file, found in together.items() if len(found) > 1)
    everything = {file: tuple(one for some in sorted(found) for one in some) for file, found in together.items()}
    said = f"its parts were made by different code ({shortened(several)} changed in between)" if several else ""
    return stamp(everything), said


def _read(out: Path, name: str | None) -> Code | None:
    try:
        return json.loads((out / FOLDER / f"{str(name)[:16]}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def stamp(code: Code) -> dict[str, object]:
    """What a manifest says of the code that made its rows."""
    return {"hash": _hash(code), "files": {file: short_hash(found) for file, found in sorted(code.items())}}


def shortened(files: Sequence[str], most: int = 3) -> str:
    """ "core/ops.py, methods/ucag.py and 4 more"."""
    more = len(files) - most
    return ", ".join(files[:most]) + (f" and {more} more" if more > 0 else "")
