"""holicam: faithful class activation maps from every layer of a network.

    import holicam as hc
    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(4, split="test")
    maps = hc.HolisticCAM()(model, batch.images, layers=["layer1", "layer4"])

Names are loaded when they are used: importing the package costs nothing but torch and numpy.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__version__ = "0.1.0"

_MODULES = ("asking", "askonce", "backprop", "cam", "capture", "card", "channelcam", "controls", "datasets",
            "eigencam", "edition", "exercises", "explain", "extremal", "fullgrad", "fusion", "gradcam", "gradient",
            "holistic", "iia", "inputs", "integrated", "joint", "layernames", "layersets",
            "lowpass", "masks", "metrics", "models",
            "msgcam", "multiscale", "normgrad", "ops", "outputs", "passes", "perturb", "photos", "plot", "polycam",
            "polyscores", "prepare", "randommasks", "relevance", "sanity", "scorecam", "settings", "smooth",
            "smoothmasks", "stored", "stream", "toyland", "toynets", "train", "ucag", "unfold")
# {file: the names that `hc.` offers straight away}
_BY_FILE = {
    "models": "load_model class_names", "layernames": "find_layers default_layers", "prepare": "preprocessing",
    "gradcam": "CAM ActivationSum GradCAM GradCAMpp XGradCAM LayerCAM HiResCAM WGradCAM",
    "normgrad": "NormGrad", "eigencam": "EigenCAM", "joint": "LayerCAMFused ZoomCAM", "smooth": "SmoothGradCAMpp",
    "iia": "IIA", "msgcam": "MSGCAM", "multiscale": "CAMERAS", "holistic": "HolisticCAM",
    "polycam": "PCAM PCAMPlus PCAMMinus", "channelcam": "CAMPlus CAMMinus CAMBoth", "ucag": "UCAG",
    "scorecam": "ScoreCAM SSCAM ISCAM", "perturb": "RISE Occlusion", "extremal": "ExtremalPerturbation",
    "gradient": "Gradient InputXGradient SmoothGrad", "integrated": "IntegratedGradients",
    "backprop": "GuidedBackprop DeconvNet", "fullgrad": "FullGrad",
    "relevance": "LRP ContrastiveLRP SGLRP RelevanceCAM MWP ContrastiveMWP RAP RSP AGF",
    "controls": "RandomMap CenterMap SobelMap GroundTruth",
    "explain": "explainers explain_many info", "setup": "setup", "explore": "explore",
    "exercises": "exercise", "turn": "turn",
}
_NAMES = {name: file for file, names in _BY_FILE.items() for name in names.split()}
__all__ = sorted([*_MODULES, *_NAMES])


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        value = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(key for key in globals() if key.startswith("__"))})


class _Package(ModuleType):
    """Keeps `hc.setup`, `hc.explore` and `hc.turn` functions, in whatever order their modules are imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("setup", "explore", "turn") and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
