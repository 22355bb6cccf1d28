"""Relevance: a score that is handed back from layer to layer, and shared out rather than derived.

`walk` is the engine, `rules` says how one layer shares what it gets; each method is a choice of
rules and of a start. Nothing in the network is touched, so nothing has to be put back.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agf import AGF
    from .layermaps import MWP, ContrastiveMWP, RelevanceCAM
    from .lrp import LRP, SGLRP, ContrastiveLRP
    from .rap import RAP
    from .rsp import RSP

__all__ = ["AGF", "LRP", "MWP", "RAP", "RSP", "SGLRP", "ContrastiveLRP", "ContrastiveMWP", "RelevanceCAM"]

# What is written where, for gradients read `arithmetic` and need none of the methods.
_FILES = {
    "agf": "AGF",
    "layermaps": "MWP ContrastiveMWP RelevanceCAM",
    "lrp": "LRP SGLRP ContrastiveLRP",
    "rap": "RAP",
    "rsp": "RSP",
    "rules": "",
    "walk": "",
}


def __getattr__(name: str) -> object:
    for file, names in _FILES.items():
        if name == file or name in names.split():
            module = importlib.import_module(f".{file}", __name__)
            return module if name == file else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
