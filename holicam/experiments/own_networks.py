"""A network of one's own on the command line: "my_net:make", a function that returns it in eval mode.

It carries what it wants of its images, `model.preprocessing = hc.Preprocessing(...)`, and may carry `class_names`.
"""

from __future__ import annotations

import torch
from torch import nn

from ..core.own_code import OwnCodeError, find
from ..models.preprocessing import Preprocessing, preprocessing
from .loading import loader
from .seen import Seen


def own_network(place: str, device: str | torch.device) -> tuple[nn.Module, list[str], Preprocessing]:
    """(the network, the names of its classes, how its images are prepared). Raises OwnCodeError, ConfigError."""
    find(place, "a network")
    model = loader({place: place})(place).to(device)
    wants = preprocessing(model)
    count = Seen.of(model, torch.zeros(1, 3, wants.size, wants.size, device=device)).logits.shape[1]
    names = getattr(model, "class_names", None) or [f"output {i}" for i in range(count)]
    if len(names) != count:
        raise OwnCodeError(f"{place}: class_names must hold one name for each of {count} outputs; got {len(names)}")
    return model, list(names), wants
