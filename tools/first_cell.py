"""The first code cell of a plain notebook: it installs what the chapters use, where anything of it is missing.

A wheel brings two of the six trained networks, so a plain notebook works in a checkout of the repository: the one that
Python finds, wherever the notebook lies, else a new one beside the notebook. A folder that merely bears the package's
name, such as a clone beside the notebook, is a namespace without an origin, and no package.
"""

from __future__ import annotations

import re
import tomllib

from tools.ipynb import ROOT

EXTRA = "book"  # all that the chapters use
IN_A_KERNEL = ("IPython", "matplotlib_inline")  # there before any cell runs
SOURCE = """\
# Run this cell first: it installs the book's package, with all its networks, and what else the chapters use.
# Where Python finds no checkout of the repository, as on Colab, one is cloned into the folder holicam-book.
import importlib.util, os, sys
address = os.environ.get("HOLICAM_REPOSITORY", "{repository}")
spec = importlib.util.find_spec("holicam")
book = os.path.dirname(os.path.dirname(spec.origin or "")) if spec else ""
found = bool(book) and os.path.exists(f"{{book}}/pyproject.toml")
if not found:
    book = os.path.abspath("holicam-book")
    if not os.path.isdir(book):
        !git clone -q --depth 1 "{{address}}" "{{book}}"
used = "{modules}"
if not found or not all(map(importlib.util.find_spec, used.split())):
    %pip install -q -e "{{book}}[{extra}]"
    sys.path.insert(0, book)"""
HAND_OUT = """\
# Run this cell first: it installs what the chapters use, where anything of it is missing.
import importlib.util
used = "holicam {modules}"
if not all(map(importlib.util.find_spec, used.split())):
    %pip install -q -r requirements.txt"""


def modules() -> list[str]:
    """What the extra brings that a cell can import, in the order of pyproject.toml."""
    from holicam.models.extras import EXTRAS  # with it comes PyTorch, which JupyterLab's server has no need of

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (own,) = project["optional-dependencies"][EXTRA]
    names = re.fullmatch(r"holicam\[([\w,]+)\]", own)[1].split(",")
    return [module for name in names for module in EXTRAS[name] if module not in IN_A_KERNEL]


def plain(repository: str) -> str:
    """The cell of a notebook that comes alone; `repository` is the address that it clones from."""
    return SOURCE.format(repository=repository, modules=" ".join(modules()), extra=EXTRA)


def handed_out() -> str:
    """The cell of a notebook in a folder that has the package's wheel and a requirements.txt."""
    return HAND_OUT.format(modules=" ".join(modules()))


def cell(code: str) -> dict:
    return {
        "cell_type": "code",
        "id": "install",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": code.splitlines(keepends=True),
    }
