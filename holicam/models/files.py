"""Files written whole or not at all, and folders tried before hours of work."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path


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
