"""Poly-CAM on a network that has forgotten everything: its paper's appendix G, on the toy VGG.

Cells as in `sanity`, of all three variants at the layer "", with both treatments of norms.
"""

from __future__ import annotations

import holicam as hc

from .made import Study
from .sanity import FILES, beginning, metrics_of, named_all

METHODS = {
    "PCAM+": hc.PCAMPlus(on_zero="pass", chunk=8),
    "PCAM-": hc.PCAMMinus(on_zero="pass", chunk=8),
    "PCAM±": hc.PCAM(on_zero="pass", chunk=8),
    "Sobel": hc.SobelMap(),
}
STATES = ("all-reset", "all-recalibrated")
STUDY = Study("pcam", named_all(METHODS), beginning(METHODS, STATES), metrics_of(STATES), ("pcam", *FILES))
