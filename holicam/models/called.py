"""How this program was called, for messages that hold a command to type."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def called(*words: object) -> str:
    """A command of ours as it can be typed here: by `holicam`, or by the Python that runs, as the user did.

    From Python code it is `python -m holicam`.
    """
    return " ".join([_program(), *(shlex.quote(str(word)) for word in words)])


def _program() -> str:
    name = sys.argv[0] if sys.argv else ""
    if Path(name).stem == "holicam":
        return _typed(name, "holicam")
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or spec.name != "holicam.__main__" or not sys.executable:
        return "python -m holicam"
    return f"{_typed(sys.executable, 'python')} -m holicam"


def _typed(file: str, name: str) -> str:
    """The bare name where the shell finds this program by it; else its path, from here if it lies below."""
    file = os.path.abspath(file)
    found = shutil.which(name)
    if found and os.path.dirname(os.path.abspath(found)) == os.path.dirname(file):
        return name
    here = os.path.join(os.getcwd(), "")
    return shlex.quote(file.removeprefix(here))
