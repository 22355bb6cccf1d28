"""Sanity checks: a map that explains a network must change when the network does.

    explain = functools.partial(hc.GradCAM(), layers="layer4")
    run = hc.sanity.randomise(explain, model, images, order="cascading", progress=tqdm)
    print(hc.sanity.verdict(explain, model, images))

They know no explainer: whatever is called as explain(model, images, target=target) and returns maps (B, H, W)
can be checked, an edge detector too, which must fail.
"""

from ..correlation import average_ranks, pearson
from .cascade import Randomisation, randomise
from .labels import LabelRandomisation, label_randomisation
from .measures import degenerate, hog, hog_pearson, hog_spearman, spearman, ssim
from .network_units import Unit, units
from .randomise import kept, recalibrate, reinitialise
from .similarity import MEASURES, similarities, similarity
from .verdict import Band, Verdict, verdict

__all__ = [
    "MEASURES",
    "Band",
    "LabelRandomisation",
    "Randomisation",
    "Unit",
    "Verdict",
    "average_ranks",
    "degenerate",
    "hog",
    "hog_pearson",
    "hog_spearman",
    "kept",
    "label_randomisation",
    "pearson",
    "randomise",
    "recalibrate",
    "reinitialise",
    "similarities",
    "similarity",
    "spearman",
    "ssim",
    "units",
    "verdict",
]
