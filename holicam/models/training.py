"""Training of the toy networks: `python -m holicam train NAME`.

Images are rendered once into a cache. Learning starts at small sizes and ends at large ones; half of the images
are cut around their object and enlarged (object-scale jitter), so that a network has seen large objects before
multi-scale methods show it enlarged images. What is trained on what stands in `trainings.py`. Every random choice
depends on the step alone: a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .. import toyland
from . import data_folder
from .files import drafted, prepare_folder, sweep, write_whole
from .rendering import cache_folder as cache_folder
from .rendering import rendered as rendered
from .toy import BUILDERS
from .trainings import TRAININGS, Training
from .weights import fill

CHECKPOINT_EVERY = 200
SETTLE_BATCHES = 40
DAMAGE = (RuntimeError, EOFError, pickle.UnpicklingError, LookupError, TypeError, ValueError, AttributeError)
ANEW = "delete it, and training starts anew"


def random_labels(n: int, seed: int = 0, classes: int = len(toyland.CLASSES)) -> torch.Tensor:
    """(n,) int64: a class for each of the training images 0 ... n - 1, drawn without looking at the image."""
    return torch.from_numpy(np.random.default_rng([seed, 18]).integers(classes, size=n))


def _cut(rgb, box, size, zoom, rng, glyph=False) -> np.ndarray:
    """One training view: the whole image, or a square around its object that the object fills by 35 to 100 %.

    A glyph fills 12 to 30 %, so that much of the object is cut away; mirroring would spoil its code.
    """
    import cv2

    side, x, y = 224, 0, 0
    if rng.random() < zoom:
        extent = max(box[2] - box[0], box[3] - box[1], 16)
        side = int(min(224, extent / rng.uniform(*((0.12, 0.3) if glyph else (0.35, 1.0)))))
        x = int(np.clip(box[0] - rng.uniform() * max(side - (box[2] - box[0]), 0), 0, 224 - side))
        y = int(np.clip(box[1] - rng.uniform() * max(side - (box[3] - box[1]), 0), 0, 224 - side))
    view = cv2.resize(
        np.ascontiguousarray(rgb[y : y + side, x : x + side]),
        (size, size),
        interpolation=cv2.INTER_AREA if size < side else cv2.INTER_LINEAR,
    )
    return view[:, ::-1] if zoom and not glyph and rng.random() < 0.5 else view


def views(data, training: Training, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The (images, labels) of every step from `start` on."""
    (rgb, labels, boxes), subset = data, training.subset
    of = {only: np.flatnonzero((subset == only) | (not only)) for _, only in training.plan}
    for step, (sizes, only) in enumerate(training.plan[start:], start):
        rng = np.random.default_rng([training.seed, step])
        size = int(rng.choice(sizes))
        chosen = rng.choice(of[only], training.batch, replace=False)
        cuts = np.stack([_cut(rgb[i], boxes[i], size, training.zoom, rng, subset[i] == "shortcut") for i in chosen])
        yield toyland.standardise(torch.from_numpy(cuts)), torch.from_numpy(labels[chosen])


def train(name: str, device: str = "cpu", progress=lambda items, total, start=0: items) -> nn.Module:
    """Train one of the shipped networks; a checkpoint every `CHECKPOINT_EVERY` steps makes it resumable.

    Raises:
        ValueError: no such network.
    """
    if name not in TRAININGS:
        raise ValueError(f"There is no training for {name!r}; there is one for {', '.join(TRAININGS)}.")
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # the caller's random numbers stay as they are
        return _trained(name, TRAININGS[name], device, progress)


def _trained(name: str, training: Training, device: str, progress) -> nn.Module:
    data = rendered(training, progress)
    if training.random_labels:
        data = (data[0], random_labels(len(data[1]), training.seed).numpy(), data[2])
    torch.manual_seed(training.seed)
    model = BUILDERS[name]().to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), training.lr, weight_decay=training.weight_decay)
    checkpoint, start = cache_folder() / f"{name}.pt", 0
    sweep(checkpoint.parent, rf"{name}\.\d+\.tmp")  # as older versions called a draft
    if checkpoint.exists():
        start = _resumed(checkpoint, training, model, optimiser, device)
    model.train()
    for step, (images, labels) in enumerate(progress(views(data, training, start), training.steps, start), start):
        for group in optimiser.param_groups:
            group["lr"] = training.rate(step)
        torch.manual_seed(int(np.random.SeedSequence([training.seed, step]).generate_state(1)[0]))  # of dropout
        logits = model(images.to(device, memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(logits, labels.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == training.steps:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            with drafted(checkpoint) as draft:  # another process may train the same
                torch.save(state | {"training": repr(training), "loss": loss.item()}, draft)
    _settle(model, data, training, device)
    return model.eval()


def _resumed(checkpoint: Path, training: Training, model: nn.Module, optimiser, device: str) -> int:
    """The step to go on from, 0 where the checkpoint is of another training. Raises ValueError where it is damaged."""
    try:
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        kept = {key: state[key] for key in ("training", "model", "optimiser", "step")}
        if kept["training"] != repr(training):
            return 0
        optimiser.load_state_dict(kept["optimiser"])
        start = range(training.steps + 1).index(kept["step"])
    except DAMAGE as error:
        said = " ".join(str(error).split())[:120]
        raise ValueError(f"{checkpoint} is no whole checkpoint ({said}): {ANEW}") from None
    fill(model, kept["model"], checkpoint, ANEW)
    return start


@torch.no_grad()
def _settle(model: nn.Module, data, training: Training, device: str) -> None:
    """Average the batch-norm statistics over whole images of the size the network is used at."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # a plain average
    model.train()
    whole = (((training.settle,), SETTLE_BATCHES * training.batch),)
    still = dataclasses.replace(training, phases=whole, finish=(), zoom=training.zoom / 2, seed=1)
    for images, _ in views(data, still, 0):
        model(images.to(device, memory_format=torch.channels_last))


def save(name: str, model: nn.Module, card: dict, folder: Path | None = None) -> Path:
    """Write the weights (safetensors) and, beside them, the card with their sha256."""
    from safetensors.torch import save as packed

    path = (folder or data_folder()) / f"{name}.safetensors"
    prepare_folder(path.parent)
    weights = packed({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()})
    card = {"name": name, "sha256": hashlib.sha256(weights).hexdigest(), **card}
    write_whole({path: weights, path.with_suffix(".json"): (json.dumps(card, indent=1) + "\n").encode()})
    return path
