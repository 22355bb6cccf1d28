"""Files written whole or not at all, and folders tried before hours of work."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

HOUR = 3600  # no process leaves a draft alone for that long
DRAFT = r"\.[0-9a-f]{32}\.tmp"  # what `draft_in` calls one


class OutputError(ValueError):
    """A file that must not be written, or a folder that cannot be; the message names it."""


def prepare_folder(folder: Path) -> None:
    """Make a folder and try to write there. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = draft_in(folder)
        draft.touch()
        draft.unlink()
    except (OSError, ValueError) as error:
        said = "it is a file" if isinstance(error, FileExistsError) else getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{folder} cannot be written to ({said}): name a folder that can.") from None


def draft_in(folder: Path) -> Path:
    """A name that no other process has, on this machine or another one."""
    return folder / f".{uuid.uuid4().hex}.tmp"


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write files: all of them beside their places first, then each is put there. Raises OSError with a file's name."""
    drafts = {file: draft_in(file.parent) for file in contents}
    try:
        for file, draft in drafts.items():
            draft.write_bytes(contents[file])
        for file, draft in drafts.items():
            os.replace(draft, file)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None  # a full disk says no name
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


@contextlib.contextmanager
def drafted(file: Path) -> Iterator[Path]:
    """A draft to write beside a file, which takes its place when it is whole, and is gone otherwise."""
    draft = draft_in(file.parent)
    try:
        yield draft
        os.replace(draft, file)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def sweep(folder: Path, others: str) -> None:
    """Remove drafts that killed processes left in a folder, an hour after they were last written.

    others: a pattern of the names, beside those of `draft_in`, that nobody else gives in this folder.
    """
    with contextlib.suppress(OSError):  # another process may sweep as well
        for path in [*folder.iterdir()]:
            named = re.fullmatch(f"{DRAFT}|{others}", path.name)
            if named and time.time() - path.stat().st_mtime > HOUR:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
