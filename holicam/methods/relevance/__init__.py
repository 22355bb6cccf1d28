"""Relevance: a score that is handed back from layer to layer, and shared out rather than derived.

`walk` is the engine, `rules` says how one layer shares what it gets; each method is a choice of
rules and of a start. Nothing in the network is touched, so nothing has to be put back.
"""

from __future__ import annotations

import importlib

from ..table import ROWS

# Looked up when asked for: gradients read `arithmetic` and need none of the methods.
_FILES = {row.kind: row.file.partition(".")[2] for row in ROWS if row.family == "relevance"}
__all__ = sorted(_FILES)
_MODULES = {"rules", "walk", *_FILES.values()}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _FILES:
        return getattr(importlib.import_module(f".{_FILES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
