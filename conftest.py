"""For the notebook gate (`pytest --nbval book/`): how stored and fresh outputs are compared."""

import os

from tools.compare import Printed

# What is stored was run with the book's own network, on a CPU; HOLICAM_DEVICE=cuda compares a GPU.
for name in ("HOLICAM_MODEL", "HOLICAM_PHOTOS"):
    os.environ.pop(name, None)
os.environ.setdefault("HOLICAM_DEVICE", "cpu")
os.environ["HOLICAM_STORED"] = "compared"  # pictures, not controls, and no files (holicam/notebook/live.py)


def pytest_itemcollected(item):
    """Let nbval compare printed numbers to one unit in the last digit (tools/compare.py)."""
    if type(item).__name__ != "IPyNbCell":
        return
    plain = item.sanitize

    def sanitize(text):
        text = plain(text)
        return Printed(text) if isinstance(text, str) else text

    item.sanitize = sanitize
