"""The commit beside the version: a version of a package under work says little."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commit(root: Path = ROOT) -> str | None:
    """The commit of the checkout that holds the package.

    Args:
        root: the folder that holds `holicam/`.

    Returns:
        Forty hex digits, with "+" behind them where a file of `holicam/` differs from that commit; None for an
        installed wheel, a copy without its history, or where there is no git.
    """
    try:
        top, head = _git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        if Path(top).resolve() != root.resolve():  # an environment inside somebody else's repository
            return None
        changed = _git(root, "status", "--porcelain", "--", "holicam")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return head + "+" * bool(changed.strip())


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    # Inside a hook these name the repository whose hook it is.
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    env = {key: value for key, value in os.environ.items() if key not in elsewhere}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, env=env).stdout
