"""Write the pages that are made from chapters, data and results: python -m tools.pages [NAME ...]"""

import sys
from importlib import import_module

from tools.pages import text

NAMES = (
    "claims",
    "published",
    "provenance",
    "used",
    "teaching",
    "graph",
    "costs",
    "speed",
    "stages",
    "toyland",
    "choice",
    "which",
    "changes",
    "cite",
)

for name in sys.argv[1:] or NAMES:
    made = import_module(f"tools.pages.{name}")
    made.PAGE.write_text(text(made.page()), encoding="utf-8")
