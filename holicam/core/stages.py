"""What an explainer shows of its way to the map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..models.layers import Layer


class Stages(Mapping[Layer, Any]):
    """What `intermediate=True` returns: the map, and what led to it, by name and in order.

    `stages.map` is the map (B, H, W). The others are named by the explainer's docstring, and are read as
    `stages.fused` or `stages["fused"]`; methods that join layers have a stage a layer, `stages["layer4"]`.
    Iterating goes over the stages on the way, without the map.
    """

    def __init__(self, map: Tensor, stages: Mapping[str, Any] | Mapping[Layer, Any]) -> None:
        self.map = map
        self._stages: dict[Layer, Any] = dict(stages.items())

    def __getitem__(self, name: Layer) -> Any:
        return self.map if isinstance(name, str) and name == "map" else self._stages[name]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    def __getattr__(self, name: str) -> Any:
        stages = vars(self).get("_stages", {})  # empty while it is being unpickled
        if name not in stages:
            raise AttributeError(f"there is no stage {name!r}; there are map, {', '.join(map(str, stages))}")
        return stages[name]

    def __repr__(self) -> str:
        shown = {"map": self.map, **{str(name): stage for name, stage in self.items()}}
        return f"Stages({', '.join(f'{name}: {_kind(stage)}' for name, stage in shown.items())})"


def _kind(stage: object) -> object:
    return tuple(stage.shape) if isinstance(stage, Tensor) else type(stage).__name__
