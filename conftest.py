"""For the notebook gate (`pytest --nbval book/`): how stored and fresh outputs are compared."""

import os

from tools.compare import Printed

# What is stored was run with the book's own network, on a CPU; HOLICAM_DEVICE=cuda compares a GPU.
for name in ("HOLICAM_MODEL", "HOLICAM_PHOTOS"):
    os.environ.pop(name, None)
os.environ.setdefault("HOLICAM_DEVICE", "cpu")
os.environ["HOLICAM_STORED"] = "1"  # pictures, not controls (holicam/notebook/live.py)


def pytest_configure(config):
    """Chapters that are run again to be compared leave no files in the book."""
    if config.getoption("nbval", False):
        os.environ["HOLICAM_STORED"] = "compared"


def pytest_itemcollected(item):
    """Let nbval compare printed numbers to one unit in the last digit (tools/compare.py)."""
    if type(item).__name__ != "IPyNbCell":
        return
    plain = item.sanitize

    def sanitize(text):
        text = plain(text)
        return Printed(text) if isinstance(text, str) else text

    item.sanitize = sanitize
