"""Maps of photographs on disk: what `holicam explain` does for each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.ops import probabilities
from ..datasets.photos import fit, middle, read_photo, to_images
from ..methods.registry import explainers
from ..models import class_names, find_layers, load_model
from ..models.files import write_whole
from ..models.preprocessing import preprocessing
from ..models.toy import BUILDERS
from . import map_files as mapfiles
from .captions import draw
from .find_class import find_class
from .naming import named
from .own import is_own_network
from .own_networks import own_network
from .said import no_memory, printable
from .seen import Layout, Seen, last_layer, layout_of, of_square, one_size

ONE = "map"  # the name of a map that belongs to no single layer


@dataclass(frozen=True)
class Explained:
    """One photograph done.

    photo: its file. top: the five likeliest (class name, probability). target: what was explained, and probability:
    that of it. written: the files, and replaced: whether they replace those of an earlier run. rgb (h, w, 3), maps
    {layer or `ONE`: (h, w)}: what they show. key: of what they depend on.
    """

    photo: Path
    top: list[tuple[str, float]]
    target: str
    probability: float
    written: list[Path]
    replaced: bool
    rgb: Tensor
    maps: dict[str, Tensor]
    key: str


Shown = tuple[Tensor, Tensor, Seen]  # uint8 (h, w, 3), the network's images (1, 3, h, w), what it makes of them


@dataclass
class Sight:
    """What explainers of one network share: the last photograph as it saw it, and whether it takes squares only."""

    photo: Path | None = None
    shown: Shown | None = None
    square_only: bool = False


class PhotoExplainer:
    """A network, an explainer and layers, resolved once and called with one file after another.

    like: another of the same network and size, whose network and whose last look at a photograph it shares.
    layers: None is the explainer's own, or the network's last. preset: of the explainer; None is "fast" where it has
    that, as somebody waits for the picture, or else its default. size: of the shorter side, None is the network's own.
    reshape: how layers lie, see `seen.layout_of`; None is as one forward pass shows. `remarks` collects what a
    user should know of how that was resolved.

    Raises ValueError, LookupError and OSError for whatever is wrong before a photograph is read.
    """

    def __init__(
        self,
        model: str,
        explainer: str,
        layers: Sequence[str] | None,
        target: str | None,
        *,
        preset: str | None = None,
        size: int | None = None,
        reshape: str | None = None,
        device: str | torch.device = "cpu",
        like: PhotoExplainer | None = None,
    ):
        self.ready, self.layout = with_preset(explainer, preset), layout_of(reshape) if reshape else None
        self.takes = getattr(self.ready, "takes", "layer")
        if explainer == "ground-truth":
            raise ValueError(
                "ground-truth shows the true mask of an object, and a photograph has none: choose another "
                "--explainer, or call holicam.GroundTruth(masks) from Python."
            )
        if self.takes == "input" and (layers or reshape):
            raise ValueError(
                f"{explainer} explains the image itself and reads no layer: leave out --layers and --reshape."
            )
        self.network, self.explainer, self.device = model, explainer, device
        own = (like.model, like.names, like.wants) if like else None
        own = own_network(model, device, size) if is_own_network(model) and not own else own
        self.names, self.wants = own[1:] if own else (class_names(model), preprocessing(model))
        self.target = None if target is None else find_class(self.names, target)
        self.size = size or self.wants.size
        self.sight = like.sight if like else Sight()
        self.remarks: list[str] = []
        self.model: nn.Module = own[0] if own else load_model(model, device)
        self.square = of_square(self.model, model, self.size, self.wants.size, device)
        self.layers = self._layers(layers)
        self._same_size()
        self.toy = model in BUILDERS
        if self.toy:
            self.remarks.append(
                f"{model} knows only the ten drawn classes of Toyland ({', '.join(self.names)}), "
                "whatever a photograph shows"
            )

    def _layers(self, given: Sequence[str] | None) -> list[str] | None:
        """The layers that are read, None for an explainer's own; one that gives no map is said here."""
        if self.takes == "input":
            return None
        own = self.ready.layers_of(self.model) if self.takes == "joint" and not given else None
        names = list(given or own or [last_layer(self.model, self.square)])
        paths = self._paths(names)
        for name, layout in self._layouts(names, self.square).items():
            if layout.cells(self.square.shapes[paths[name]]) == 1:
                self.remarks.append(
                    f"layer {name} has a single cell for images of {self.size} x {self.size} pixels: "
                    "its map is the same everywhere"
                )
        return None if own else names

    def _layouts(self, names: Sequence[str], seen: Seen) -> dict[str, Layout]:
        """{layer as named: how it lies}."""
        return {name: seen.layout(path, self.layout, self.square) for name, path in self._paths(names).items()}

    def _paths(self, names: Sequence[str]) -> dict[str, str]:
        """{layer as named: its module path}."""
        paths = {id(module): path for path, module in self.model.named_modules()}
        return {name: paths[id(module)] for name, module in find_layers(self.model, names).items()}

    def _same_size(self) -> None:
        """Networks of one input size: methods that enlarge images are kept to that size."""
        other, change, how = one_size(self.ready, self.size)
        if other == self.size:
            return
        try:
            Seen.of(self.model, torch.zeros(1, 3, other, other, device=self.device))
        except Exception as error:
            if no_memory(error):
                return
            self.ready = replace(self.ready, **change)
            self.remarks.append(
                f"{self.network} takes images of {self.size} x {self.size} pixels only: {self.explainer} runs {how}"
            )

    def __call__(self, photo: Path, out: Path, inputs: Sequence[Path] = ()) -> Explained:
        """Explain one file; writes a picture and raw maps into `out`, see `mapfiles`. inputs: files to keep."""
        rgb, images, seen = self._shown(photo)
        p = probabilities(seen.logits.float())[0]
        top = [(self.names[i], float(p[i])) for i in p.topk(min(5, len(p))).indices.tolist()]
        target = int(p.argmax()) if self.target is None else self.target
        name = self.names[target]
        made = mapfiles.Made(
            photo,
            self.network,
            self.explainer,
            named(self.ready),
            tuple(self.layers or ()),
            "" if self.target is None else f"{target}-{name}",
            self.size,
            str(self.layout or ""),
        )
        files, replaced = mapfiles.place(out, made, [photo, *inputs])
        maps = self._maps(images.clone(), target, seen)  # one's own explainer may write into its images
        about = {
            mapfiles.NAME: made.key,
            "photo": printable(photo.name),
            "network": self.network,
            "target": name,
            "probability": f"{p[target]:.4g}",
            "explainer": repr(self.ready),
            "layers": " ".join(self.layers or ()),
            "image": "{} x {}".format(*images.shape[2:]),
        }
        picture = draw(rgb, maps, about, self.explainer, self.toy)
        write_whole(dict(zip(files, (mapfiles.packed(maps, about), picture), strict=True)))
        return Explained(photo, top, name, float(p[target]), files, replaced, rgb, maps, made.key)

    def _shown(self, photo: Path) -> Shown:
        """The photograph as the network sees it, read and classified once for all explainers that share a sight."""
        if self.sight.photo != photo:
            self.sight.photo, self.sight.shown = None, None
            self.sight.shown = self._look(read_photo(photo))
            self.sight.photo = photo
        assert self.sight.shown is not None
        return self.sight.shown

    def _look(self, rgb: Tensor) -> Shown:
        """All of it, or its middle where the network takes squares only."""
        square = self.sight.square_only
        shown = fit(middle(rgb) if square else rgb, self.size, mode=self.wants.mode)  # (h, w, 3)
        images = to_images(shown, self.wants).to(self.device)
        try:
            return shown, images, Seen.of(self.model, images)
        except Exception as error:
            if square or shown.shape[0] == shown.shape[1] or no_memory(error):
                raise
        self.sight.square_only = True
        found = self._look(rgb)
        self.remarks.append(
            f"{self.network} takes images of {self.size} x {self.size} pixels only: of a photograph of "
            "another shape the square in the middle is shown to it, and explained"
        )
        return found

    def _maps(self, images: Tensor, target: int, seen: Seen) -> dict[str, Tensor]:
        """{layer, or `ONE`: map (h, w)}, on the CPU. Layers that lie alike share their passes."""
        if self.takes == "input":
            return self._one(self.ready(self.model, images, None, target))
        names = self.layers or list(self.ready.layers_of(self.model))
        alike: dict[Layout, list[str]] = {}
        for name, layout in self._layouts(names, seen).items():
            alike.setdefault(layout, []).append(name)
        if self.takes == "joint":
            if len(alike) > 1:
                lie = "; ".join(f"{', '.join(some)}: {layout}" for layout, some in alike.items())
                raise ValueError(f"{self.explainer} joins layers that lie alike, and these do not: {lie}.")
            (layout,) = alike
            return self._one(self.ready(self.model, images, self.layers, target, reshape=layout.reshape()))
        found = {}
        for layout, some in alike.items():
            found |= self.ready(self.model, images, some, target, reshape=layout.reshape())
        return {name: self._of_image(found[name]) for name in names}

    def _one(self, maps: object) -> dict[str, Tensor]:
        return {ONE: self._of_image(maps)}

    def _of_image(self, maps: object) -> Tensor:
        """(h, w) of the maps (1, h, w) that an explainer gave, which may be anybody's."""
        if not isinstance(maps, Tensor) or maps.dim() != 3 or len(maps) != 1:
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(f"{self.explainer} must return a map (1, h, w) of one photograph; got {got}")
        return maps[0].cpu()


def with_preset(name: str, preset: str | None) -> Any:
    """The explainer of that name; preset None is "fast" where it has that. Raises ValueError for one it has not."""
    kind: Any = explainers[name]
    presets = getattr(kind, "presets", ())
    if preset is None:
        return kind(preset="fast") if "fast" in presets else kind()
    if not presets:
        raise ValueError(f"{name} has no presets: leave out --preset.")
    return kind(preset=preset)


def each_ready(
    model: str,
    names: Sequence[str],
    layers: Sequence[str] | None,
    target: str | None,
    *,
    reshape: str | None = None,
    **more: Any,
) -> list[PhotoExplainer]:
    """One `PhotoExplainer` for each name, all of one network. Of several, those that read no layer are given none.

    Raises as `PhotoExplainer`.
    """
    found: list[PhotoExplainer] = []
    reads = {name: getattr(explainers[name], "takes", "layer") != "input" for name in names}
    for name in names:
        given = (None, None) if any(reads.values()) and not reads[name] else (layers, reshape)
        like = found[0] if found else None
        found.append(PhotoExplainer(model, name, given[0], target, reshape=given[1], like=like, **more))
    return found
