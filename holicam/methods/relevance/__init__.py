"""Relevance: a score that is handed back from layer to layer, and shared out rather than derived.

`walk` is the engine, `rules` says how one layer shares what it gets; each method is a choice of
rules and of a start. Nothing in the network is touched, so nothing has to be put back.
"""

from .agf import AGF
from .layermaps import MWP, ContrastiveMWP, RelevanceCAM
from .lrp import LRP, SGLRP, ContrastiveLRP
from .rap import RAP
from .rsp import RSP

__all__ = ["AGF", "LRP", "MWP", "RAP", "RSP", "SGLRP", "ContrastiveLRP", "ContrastiveMWP", "RelevanceCAM"]
