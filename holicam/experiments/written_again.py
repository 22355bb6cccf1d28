"""Files that a command writes anew each time: one that a user has changed since is moved aside first, and not lost.

written.json     {file: the hashes of what the command wrote there last and the time before}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from .storage import as_json, aside
from .whole_files import write_whole

NOTE = "written.json"


def write_again(out: Path, files: Mapping[str, bytes], say: Callable[[str], None]) -> list[Path]:
    """Write the files of a folder. say: hears of each that was there and is nobody's but the user's. Raises OSError."""
    known, new = _known(out / NOTE), {name: _hash(data) for name, data in files.items()}
    for name, hashed in new.items():
        path = out / name
        there = _hash(path.read_bytes()) if path.is_file() else hashed
        if there != hashed and there not in known.get(name, ()):
            say(f"{path} was changed since it was written, or is yours: it was moved to {aside(out, path)}")
    noted = known | {name: [*[one for one in known.get(name, []) if one != new[name]][-1:], new[name]] for name in new}
    write_whole(out / NOTE, as_json(noted))  # first: a kill loses nothing
    for name, data in files.items():
        write_whole(out / name, data)
    return [out / name for name in files]


def _known(note: Path) -> dict[str, list[str]]:
    """What the note says; a note that is missing or damaged knows of nothing, so that more is moved aside."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        return {name: [*map(str, hashes)] for name, hashes in said.items() if isinstance(hashes, list)}
    except (OSError, ValueError, AttributeError):
        return {}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
