"""A network of one's own on the command line: "my_net:make", a function that returns it in eval mode.

It carries what it wants of its images, `model.preprocessing = hc.Preprocessing(...)`, and may carry `class_names`.
"""

from __future__ import annotations

import torch
from torch import nn

from ..core.own_code import OwnCodeError, find
from ..models.preprocessing import Preprocessing, preprocessing
from .loading import loader
from .seen import of_square


def own_network(
    place: str, device: str | torch.device, size: int | None = None
) -> tuple[nn.Module, list[str], Preprocessing]:
    """(the network, the names of its classes, how its images are prepared).

    size: of the images that it will be shown, None is its own.

    Raises OwnCodeError, ConfigError; ValueError where it takes no such images.
    """
    find(place, "a network")
    model = loader({place: place})(place).to(device)
    wants = preprocessing(model)
    count = of_square(model, place, size or wants.size, wants.size, device).logits.shape[1]
    names = getattr(model, "class_names", None) or [f"output {i}" for i in range(count)]
    if len(names) != count:
        raise OwnCodeError(f"{place}: class_names must hold one name for each of {count} outputs; got {len(names)}")
    return model, list(names), wants
