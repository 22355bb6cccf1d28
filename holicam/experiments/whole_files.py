"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:24] or "host"
HOUR = 3600  # no process takes that long over one file
# What a draft or a claim is called, and how older versions called drafts of parts: a user's hidden files are not ours.
OURS = re.compile(r"\..+\.([A-Za-z0-9-]+\.\d+\.[0-9a-f]+|claim)\.tmp|\..+\.parquet\.\d+")
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all. Raises OSError with the path, and then leaves nothing behind."""
    with _named(path), _draft(path, data) as draft:
        os.replace(draft, path)


def write_new(path: Path, data: bytes) -> None:
    """The same, but never in place of a file that is there. Raises FileExistsError, OSError."""
    with _named(path), _draft(path, data) as draft:
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _first(draft, path)


def _first(draft: Path, path: Path) -> None:
    """`os.link` where a file system has no links. A process that is killed in here leaves no half file."""
    claim = path.with_name(f".{_short(path)}.claim.tmp")
    with open(claim, "wb") as file:
        _lock(file, wait=True)  # let go of when the process ends, however it ends
        try:
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.replace(draft, path)
        finally:
            with contextlib.suppress(OSError):
                claim.unlink()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """A full disk names no file of itself."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def _draft(path: Path, data: bytes) -> Iterator[Path]:
    """A synced file beside `path`, of a name that no process has, on this machine or another; gone afterwards.

    Its lock is held until then, so that `sweep` knows it from one whose process is dead.
    """
    there = False
    while not there:
        other = path.with_name(f".{_short(path)}.{HOST}.{os.getpid()}.{secrets.token_hex(8)}.tmp")
        with open(other, "wb") as file:
            try:
                _lock(file, wait=True)
                with contextlib.suppress(FileNotFoundError):  # swept away before it was locked
                    there = os.stat(other).st_ino == os.fstat(file.fileno()).st_ino
                if there:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    if fcntl is None:
                        file.close()  # Windows renames no open file
                    yield other
            finally:
                with contextlib.suppress(OSError):
                    other.unlink()


def _short(path: Path) -> str:
    """The beginning of a file's name, 80 bytes at most: letters may have four, and file systems count bytes."""
    return path.name.encode()[:80].decode(errors="ignore")


def _lock(file, wait: bool = False) -> bool | None:
    """Take the lock of an open file; False where another process has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(out: Path) -> None:
    """Remove what killed processes left half written; a file that a process is writing stays."""
    for folder in (out, out / "parts", out / "failures", out / "code"):
        for path in filter(lambda path: OURS.fullmatch(path.name), [*folder.glob(".*")]):
            with contextlib.suppress(OSError), open(path, "r+b") as file:
                old = time.time() - path.stat().st_mtime > HOUR
                ours = path.suffix == ".tmp" and (
                    f".{HOST}." in path.name or ".claim." in path.name
                )  # locks may not reach other machines
                if old or (ours and _lock(file)):
                    path.unlink()
