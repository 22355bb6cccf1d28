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

_MODULES = ("cam", "capture", "card", "explain", "fusion", "gradcam", "holistic", "lowpass",
            "metrics", "models", "multiscale", "ops", "photos", "plot", "stream", "toyland",
            "toynets", "train")
_NAMES = {
    "load_model": "models", "class_names": "models", "find_layers": "models", "default_layers": "models",
    "CAM": "gradcam", "ActivationSum": "gradcam", "GradCAM": "gradcam", "GradCAMpp": "gradcam",
    "XGradCAM": "gradcam", "LayerCAM": "gradcam", "HiResCAM": "gradcam",
    "HolisticCAM": "holistic", "CAMERAS": "holistic",
    "explainers": "explain", "explain_many": "explain", "info": "explain",
    "setup": "setup",
}
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
    """Keeps `hc.setup` the function, in whatever order its module of the same name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "setup" and isinstance(value, ModuleType):
            value = value.setup
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
