"""Explainers of one's own by place: `hc.explain(model, images, "my_file:MyCAM")`, in configurations and on the line.

The table of explainers says of every name with a colon that it is found here; `__getattr__` finds it and looks
whether it is an explainer.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import get_origin

from ..core.explainer import Explainer
from ..core.own_code import OwnCodeError, find, kind_of
from ..core.places import is_place
from .cams.single import SingleScale

HOW = "a class that inherits from hc.WeightedCAM, hc.Explainer or any explainer of holicam"


def __getattr__(name: str) -> type[Explainer]:
    if not is_place(name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return checked(find(name, "an explainer"), name)


def checked(found: object, place: str) -> type[Explainer]:
    """The class at a place, which must be an explainer. Raises OwnCodeError."""
    if isinstance(found, Explainer):
        kind = type(found).__name__
        raise OwnCodeError(f"{place} is a {kind} with its settings: name the class, and settings in the configuration")
    if not isinstance(found, type) or not issubclass(found, Explainer):
        raise OwnCodeError(f"{place} must be {HOW}; it is {kind_of(found)}")
    if not is_dataclass(found):
        raise OwnCodeError(f"{place}: write @dataclass(frozen=True, kw_only=True) above class {found.__name__}")
    known = {field.name for field in fields(found)}
    for name, said in vars(found).get("__annotations__", {}).items():
        if name not in known and "ClassVar" not in str(get_origin(said) or said):
            raise OwnCodeError(
                f"{place}: {name} is no setting yet: write @dataclass(frozen=True, kw_only=True) above class "
                f"{found.__name__}, or rows would not say it"
            )
    if found.maps is Explainer.maps:
        raise OwnCodeError(f"{place}: {found.__name__} must define maps(self, call), see hc.Explainer")
    if issubclass(found, SingleScale) and found.weights is SingleScale.weights and found.finish is SingleScale.finish:
        raise OwnCodeError(f"{place}: {found.__name__} must define weights(self, A, G), see hc.WeightedCAM")
    return found
