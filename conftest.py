"""For the notebook gate (`pytest --nbval book/`): how stored and fresh outputs are compared."""

from tools.compare import Printed


def pytest_itemcollected(item):
    """Let nbval compare printed numbers to one unit in the last digit (tools/compare.py)."""
    if type(item).__name__ != "IPyNbCell":
        return
    plain = item.sanitize

    def sanitize(text):
        text = plain(text)
        return Printed(text) if isinstance(text, str) else text

    item.sanitize = sanitize
