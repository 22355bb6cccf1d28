"""Maps of photographs on disk: what `python -m holicam explain` does for each file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from .explain import explainers
from .models import class_names, default_layers, find_layers, load_model
from .network import forward
from .outputs import class_logits
from .photos import PhotoError, fit, read_photo, to_images


@dataclass(frozen=True)
class Explained:
    """One photograph done: its file, the five likeliest (class name, probability), what was explained, the files."""

    photo: Path
    top: list[tuple[str, float]]
    target: str
    written: list[Path]


def find_class(names: Sequence[str], wanted: str) -> int:
    """The index of a class given by name, by a part that only one name has, or by number.

    Raises:
        ValueError: no class or several fit; the message lists them.
    """
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    lower = [name.lower() for name in names]
    if wanted.lower() in lower:
        return lower.index(wanted.lower())
    fitting = [i for i, name in enumerate(lower) if wanted.lower() in name]
    if len(fitting) == 1:
        return fitting[0]
    close = [names[i] for i in fitting] or difflib.get_close_matches(wanted, names, n=5, cutoff=0.4)
    what = "Several classes fit" if fitting else "There is no class"
    say = "choose one of" if fitting else "close names are"
    raise ValueError(f"{what} {wanted!r}; {say} {', '.join(close) or 'none'}.")


class PhotoExplainer:
    """A network, an explainer and layers, resolved once and called with one file after another."""

    def __init__(self, model: str, explainer: str, layers: Sequence[str] | None, target: str | None, *,
                 size: int = 224, device: str = "cpu"):  # fmt: skip
        self.names = class_names(model)
        self.explainer = explainers[explainer]()
        self.target = None if target is None else find_class(self.names, target)
        self.size, self.device = size, device
        self.model: nn.Module = load_model(model, device)
        self.layers = list(layers or default_layers(self.model)[-1:])
        find_layers(self.model, self.layers)  # a wrong name is said before the first photograph is read

    def __call__(self, photo: Path, out: Path, stem: str) -> Explained:
        """Explain one file; writes `stem.png` (overlays) and `stem.safetensors` (raw maps) into `out`."""
        rgb = fit(read_photo(photo), self.size)
        images = to_images(rgb).to(self.device)
        with torch.no_grad():
            p = class_logits(forward(self.model, images), len(images)).softmax(1)[0]
        top = [(self.names[i], float(p[i])) for i in p.topk(min(5, len(p))).indices.tolist()]
        target = int(p.argmax()) if self.target is None else self.target
        maps = self.explainer(self.model, images, self.layers, target)
        name = self.names[target]
        return Explained(photo, top, name, self._write(rgb, maps, photo, name, float(p[target]), out / stem))

    def _write(self, rgb, maps, photo, name, probability, stem: Path) -> list[Path]:
        from safetensors.torch import save_file

        from . import plot

        raw = {layer: m[0].cpu().contiguous() for layer, m in maps.items()}
        about = {"photo": photo.name, "target": name, "probability": f"{probability:.4f}"}
        about["explainer"] = repr(self.explainer)
        files = [stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".png")]
        save_file(raw, files[0], metadata=about)
        figure = plot.maps(rgb, {f"{layer}: {name}": m for layer, m in raw.items()}, overlay=0.65)
        figure.savefig(files[1])
        return files


def explain_photos(ready: PhotoExplainer, photos: Sequence[Path], out: Path, report: Callable[[Explained], None],
                   complain: Callable[[str], None]) -> int:  # fmt: skip
    """Explain every file; one that cannot be read is named to `complain` and skipped. Returns how many were."""
    out.mkdir(parents=True, exist_ok=True)
    failed, used = 0, set()
    for photo in photos:
        stem = photo.stem
        while stem in used:  # two folders may hold the same file name
            stem += "_"
        used.add(stem)
        try:
            report(ready(photo, out, stem))
        except PhotoError as error:
            failed += 1
            complain(str(error))
    return failed
