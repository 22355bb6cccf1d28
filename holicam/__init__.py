"""holicam: faithful class activation maps from every layer of a network.

    import holicam as hc
    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(4, split="test")
    maps = hc.HolisticCAM()(model, batch.images, layers=["layer1", "layer4"])
    maps = hc.explain(model, batch.images, "holistic-cam", layers=["layer1", "layer4"])

Names are loaded when they are used: importing the package costs nothing but torch and numpy.
"""

from __future__ import annotations

import importlib

from .methods.table import ROWS

__version__ = "0.1.0"

_ROOMS = ("toyland", "models", "datasets", "core", "methods", "metrics", "notebook", "experiments")
# The functions that chapters read beside the explainers: {name after `hc.`: where they are written}.
_SHELVES = {
    "ops": "core.ops",
    "capture": "core.capture",
    "passes": "core.passes",
    "settings": "core.options",
    "cam": "methods.cams.weights",
    "fusion": "methods.cams.fusion",
    "lowpass": "methods.cams.lowpass",
    "holistic": "methods.cams.holistic",
    "smooth": "methods.cams.smooth",
    "layersets": "methods.layer_sets",
    "masks": "methods.perturbation.channel_masks",
    "smoothmasks": "methods.perturbation.smooth_masks",
    "polycam": "methods.perturbation.polycam",
    "relevance": "methods.relevance",
    "sanity": "metrics.sanity",
    "photos": "datasets.photos",
    "toynets": "models.toy",
    "train": "models.training",
    "card": "models.card",
    "plot": "notebook.plot",
    "edition": "notebook.edition",
    "exercises": "notebook.exercises",
    "stored": "experiments.results",
}
_NAMES = {
    name: file
    for file, names in {
        "models": "load_model class_names",
        "models.layers": "find_layers default_layers",
        "models.preprocessing": "preprocessing",
        "methods.registry": "explain explain_many explainers info",
        "notebook.setup": "setup",
        "notebook.explorer": "explore",
        "notebook.exercises": "exercise",
        "notebook.knobs": "turn",
    }.items()
    for name in names.split()
} | {row.kind: f"methods.{row.file}" for row in ROWS}
__all__ = sorted({*_ROOMS, *_SHELVES, *_NAMES})


def __getattr__(name: str) -> object:
    if name in _NAMES:
        value = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    elif name in _SHELVES or name in _ROOMS:
        value = importlib.import_module(f".{_SHELVES.get(name, name)}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(key for key in globals() if key.startswith("__"))})
