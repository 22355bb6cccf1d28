"""Explainers by name, what each costs, and several of them on the same images."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .capture import Reshape
from .gradcam import Maps, SingleScale, Size, single_scale_maps
from .models import default_layers
from .ops import Target


class UnknownExplainerError(KeyError):
    """No explainer of that name; the message lists the close ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Info:
    """What a reader wants to know before choosing.

    forwards and backwards are in F, one forward of the network on one image of the base size (a
    backward counts as the forwards on the same images); they hold for any number of layers.
    """

    name: str
    family: str
    forwards: float
    backwards: float
    needs: str
    paper: str

    @property
    def cost(self) -> str:
        """For example "1 F + 1 B"."""
        backwards = f" + {self.backwards:g} B" if self.backwards else ""
        return f"{self.forwards:g} F{backwards}"


# name: (where the class lives, family, forwards, backwards, needs, paper)
_TABLE = {
    "activation-sum": ("gradcam:ActivationSum", "CAM", 1, 0, "activations",
                       "none; the unweighted map of Holistic-CAM, Fig. 4"),
    "cam": ("gradcam:CAM", "CAM", 1, 0, "activations and a linear head on averaged channels",
            "Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016"),
    "grad-cam": ("gradcam:GradCAM", "CAM", 1, 1, "activations and gradients",
                 "Selvaraju et al., Grad-CAM, ICCV 2017"),
    "grad-cam++": ("gradcam:GradCAMpp", "CAM", 1, 1, "activations and gradients",
                   "Chattopadhay et al., Grad-CAM++, WACV 2018"),
    "xgrad-cam": ("gradcam:XGradCAM", "CAM", 1, 1, "activations and gradients",
                  "Fu et al., Axiom-based Grad-CAM, BMVC 2020"),
    "layer-cam": ("gradcam:LayerCAM", "CAM", 1, 1, "activations and gradients",
                  "Jiang et al., LayerCAM, IEEE TIP 2021"),
    "hires-cam": ("gradcam:HiResCAM", "CAM", 1, 1, "activations and gradients",
                  "Draelos and Carin, Use HiResCAM instead of Grad-CAM, arXiv:2011.08891"),
    "cameras": ("holistic:CAMERAS", "multi-scale CAM", 60.9, 60.9,
                "activations and gradients at 8 scales",
                "Jalwana et al., CAMERAS, CVPR 2021"),
    "holistic-cam": ("holistic:HolisticCAM", "multi-scale CAM", 60.9, 60.9,
                     "activations and gradients at 8 scales",
                     "Holistic-CAM: positive gradients, many scales and a low-pass wrap"),
}


def _row(name: str) -> tuple:
    if name not in _TABLE:
        close = difflib.get_close_matches(str(name).lower(), _TABLE, n=3, cutoff=0.4)
        raise UnknownExplainerError(f"there is no explainer {name!r}; close names are "
                                    f"{', '.join(close or _TABLE)}")
    return _TABLE[name]


class _Explainers(Mapping):
    """Names -> classes. A class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type:
        module, attribute = _row(name)[0].split(":")
        return getattr(importlib.import_module(f".{module}", __package__), attribute)

    def __contains__(self, name: object) -> bool:
        return name in _TABLE

    def __iter__(self) -> Iterator[str]:
        return iter(_TABLE)

    def __len__(self) -> int:
        return len(_TABLE)

    def __repr__(self) -> str:
        return f"explainers({', '.join(_TABLE)})"


explainers: Mapping[str, type] = _Explainers()


def info(name: str) -> Info:
    """Family, cost, needs and paper of an explainer. Raises UnknownExplainerError."""
    return Info(name, *_row(name)[1:])


def explain_many(chosen: Mapping[Hashable, object] | Iterable[object], model: nn.Module,
                 images: Tensor, layers: str | Sequence[str] | None = None, target: Target = None,
                 *, size: Size = None, reshape: Reshape | None = None) -> dict[Hashable, Maps]:
    """Several explainers on the same images, layers and target.

    All single-scale CAMs and all layers share one forward and one backward; the others run on
    their own, with the target that the first pass resolved.

    Args:
        chosen: names or explainers, or a mapping from any label to them.
        The rest as for a single explainer.

    Returns {label, or the name or explainer as given: what the explainer alone would return}.
    """
    if isinstance(chosen, (str, SingleScale)):
        chosen = [chosen]
    labelled = chosen if isinstance(chosen, Mapping) else {item: item for item in chosen}
    ready = {label: explainers[item]() if isinstance(item, str) else item
             for label, item in labelled.items()}
    if layers is None:
        layers = default_layers(model)[-1]
    together = {label: item for label, item in ready.items() if isinstance(item, SingleScale)}
    maps = {}
    if together:
        maps, captured = single_scale_maps(together, model, images, layers, target, size=size,
                                           reshape=reshape)
        target = captured.target
    for label, explainer in ready.items():
        if label not in maps:
            maps[label] = explainer(model, images, layers, target, size=size, reshape=reshape)
    return {label: maps[label] for label in ready}
