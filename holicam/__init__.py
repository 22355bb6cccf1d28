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
    "charts": "notebook.charts",
    "edition": "notebook.edition",
    "exercises": "notebook.exercises",
    "stored": "experiments.results",
    "evidence": "experiments.evidence",
    "verdicts": "experiments.verdicts",
    "compared": "experiments.compared",
    "enlarged": "experiments.enlarged",
    "findings": "experiments.findings",
}
_NAMES = {
    name: file
    for file, names in {
        "models": "load_model class_names",
        "models.layers": "find_layers",
        "models.stages": "stages default_layers",
        "models.preprocessing": "preprocessing Preprocessing",
        "methods.registry": "explain explain_many explainers info",
        "methods.cams.of_weights": "WeightedCAM",
        "core.explainer": "Explainer InputExplainer",
        "notebook.setup": "setup",
        "notebook.explorer": "explore",
        "notebook.exercises": "exercise",
        "notebook.knobs": "turn",
        "notebook.table": "table",
    }.items()
    for name in names.split()
} | {row.kind: f"methods.{row.file}" for row in ROWS}
__all__ = sorted({*_ROOMS, *_SHELVES, *_NAMES})
# Names that have left, {name: where the file is now}: they work for one minor version, with a DeprecationWarning.
_LEFT_IN = "0.3"
_LEFT = {
    "asking": "methods.any_explainer",
    "askonce": "methods.perturbation.ask_once",
    "backprop": "methods.gradients.guided",
    "channelcam": "methods.perturbation.channelcam",
    "controls": "methods.controls",
    "eigencam": "methods.cams.eigencam",
    "extremal": "methods.perturbation.extremal",
    "fullgrad": "methods.gradients.fullgrad",
    "gradcam": "methods.cams.gradcam",
    "gradient": "methods.gradients.gradient",
    "iia": "methods.cams.iia",
    "inputs": "core.input_gradients",
    "integrated": "methods.gradients.integrated",
    "joint": "methods.cams.multilayer",
    "layernames": "models.layers",
    "msgcam": "methods.cams.msgcam",
    "multiscale": "methods.cams.multiscale",
    "normgrad": "methods.cams.normgrad",
    "outputs": "core.outputs",
    "perturb": "methods.perturbation.rise",
    "polyscores": "methods.perturbation.channel_scores",
    "prepare": "models.preprocessing",
    "randommasks": "methods.perturbation.random_masks",
    "scorecam": "methods.perturbation.scorecam",
    "stream": "core.batched",
    "ucag": "methods.ucag",
    "unfold": "methods.patches",
}


def __getattr__(name: str) -> object:
    if name in _NAMES:
        value = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    elif name in _SHELVES or name in _ROOMS:
        value = importlib.import_module(f".{_SHELVES.get(name, name)}", __name__)
    elif name in _LEFT:
        return _left(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _left(name: str) -> object:
    """The module of a name that has left, with a warning that says what to write instead."""
    import warnings

    file = _LEFT[name]
    public = ", ".join(f"hc.{public}" for public, home in _NAMES.items() if home == file)
    instead = public or f"`import holicam.{file}` (a file has no public name and may move)"
    warnings.warn(f"hc.{name} goes in holicam {_LEFT_IN}; write {instead}.", DeprecationWarning, stacklevel=3)
    return importlib.import_module(f".{file}", __name__)


def __dir__() -> list[str]:
    return sorted({*__all__, *(key for key in globals() if key.startswith("__"))})
