"""Metrics: functions on tensors, and a registry of them by name.

    run = hc.metrics.insertion_deletion(model, images, maps, target, protocol="holistic-cam")
    run.over_all, run.insertion_curve

Every metric is f(model, images, maps, target, *, masks=None, boxes=None, recipes=None,
explain=None, ids=None, protocol=...) -> (B,), as `Run` says; each reads only what it needs of that. `measure`
computes several and runs what they share once. Means, intervals and tables are the caller's business.

A new metric is a function in a file of this folder, with `@run` where it measures and `@metric` where its value
is read; both names are imported below.
"""

from ..core.baselines import Constant, GaussianBlur, MeanColour, RiseBlur, Zeros
from .call import Run, run
from .density import Density, density_negative, density_positive, map_density
from .drop import Drop, average_drop, average_increase, confidence_drop
from .energy import Energy, box_pointing, energy_pointing, epg, epg_box, epg_box_count, epg_count, epg_top100
from .grid import GridPointing, grid_pointing, grid_pointing_game
from .impute import impute
from .infidelity import Infidelity, infidelity, infidelity_scores
from .insdel import InsertionDeletion, area, deletion, insertion, insertion_deletion, over_all
from .interventions import Interventions, interventions, part_faithfulness, shapley_faithfulness
from .leakage import Contrast, Leakage, contrast, distractor_leakage, leakage, shortcut_contrast
from .pointing import Pointing, by_class, centre, difficult, pointing_game, pointing_hits
from .protocols import Protocol, UnknownProtocolError, protocol_of, protocols
from .ranking import DEGENERATE, Ranking, rank
from .road import Road, remove_and_debias, road
from .segmentation import (
    Segmentation,
    average_precision,
    iou,
    mean_average_precision,
    outside_inside,
    segmentation_accuracy,
    segmentation_scores,
)
from .sensitivity import Sensitivity, sensitivity, sensitivity_max
from .sweeps import GradientVariance, confidence_by_scale, gradient_variance, resolution_sweep
from .table import Metric, UnknownMetricError, measure, metric, registry

__all__ = [
    "DEGENERATE",
    "Constant",
    "Contrast",
    "Density",
    "Drop",
    "Energy",
    "GaussianBlur",
    "GradientVariance",
    "GridPointing",
    "Infidelity",
    "InsertionDeletion",
    "Interventions",
    "Leakage",
    "MeanColour",
    "Metric",
    "Pointing",
    "Protocol",
    "Ranking",
    "RiseBlur",
    "Road",
    "Run",
    "Segmentation",
    "Sensitivity",
    "UnknownMetricError",
    "UnknownProtocolError",
    "Zeros",
    "area",
    "average_drop",
    "average_increase",
    "average_precision",
    "by_class",
    "centre",
    "confidence_by_scale",
    "confidence_drop",
    "contrast",
    "deletion",
    "density_negative",
    "density_positive",
    "difficult",
    "distractor_leakage",
    "box_pointing",
    "energy_pointing",
    "epg_box",
    "epg_box_count",
    "epg",
    "epg_count",
    "epg_top100",
    "gradient_variance",
    "grid_pointing",
    "grid_pointing_game",
    "impute",
    "infidelity",
    "infidelity_scores",
    "insertion",
    "insertion_deletion",
    "interventions",
    "iou",
    "leakage",
    "map_density",
    "mean_average_precision",
    "measure",
    "metric",
    "outside_inside",
    "over_all",
    "part_faithfulness",
    "pointing_game",
    "pointing_hits",
    "protocol_of",
    "protocols",
    "rank",
    "registry",
    "remove_and_debias",
    "resolution_sweep",
    "road",
    "run",
    "segmentation_accuracy",
    "segmentation_scores",
    "sensitivity",
    "sensitivity_max",
    "shapley_faithfulness",
    "shortcut_contrast",
]
