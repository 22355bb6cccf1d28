"""Maps of one picture by one explainer, or by some that share their work; stored as soon as they are there."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn

import holicam as hc
from holicam.experiments import made_by
from holicam.experiments.whole_files import write_whole

from . import pictures, settings, store

SEED = 0
VERSIONS = ("torch", "timm", "numpy", "pillow")
NOBODY = ""  # the picture of an explainer that refuses all
REFUSALS = (ValueError, TypeError, RuntimeError)
Maps = dict[str, dict[int, np.ndarray]]
Unit = tuple[tuple[str, ...], str, str]  # explainers that are asked together, question, picture


@cache
def network() -> nn.Module:
    """The trained network, laid out as one core runs it fastest."""
    return hc.load_model(settings.NETWORK).eval().to(memory_format=torch.channels_last)


def stages() -> list[str]:
    """The four layers that are read, first to last."""
    return list(hc.stages(network()))


def image(picture: str) -> Tensor:
    """(1, 3, 224, 224), as the network wants it."""
    return hc.photos.to_images(torch.from_numpy(pictures.pixels(picture).copy()), settings.NETWORK)


def maps(methods: tuple[str, ...], picture: str, question: str = "asked") -> tuple[Maps, str]:
    """({explainer: {stage: (h, w)}} on the maps' own grids, stage 0 where a map has none; what was refused).

    An explainer that refuses some stages is asked for the others. Raises what it says where it refuses all.
    """
    try:
        return _maps(methods, picture, question, stages()), ""
    except REFUSALS as error:
        if settings.takes(methods[0]) != "layer" or len(methods) > 1:
            raise
        found: dict[int, np.ndarray] = {}
        for number, layer in enumerate(stages(), 1):
            with contextlib.suppress(*REFUSALS):
                found[number] = _maps(methods, picture, question, [layer])[methods[0]][1]
        if not found:
            raise
        return {methods[0]: found}, _sentence(error)


def _maps(methods: tuple[str, ...], picture: str, question: str, layers: list[str]) -> Maps:
    one = pictures.PICTURES[picture]
    model = forgetful() if question == "forgotten" else network()
    target = torch.tensor([one.other if question == "another" else one.target])
    chosen = {name: settings.ready(name) for name in methods}
    found = hc.explain_many(chosen, model, image(picture), layers, target, size="native")
    out = {}
    for name, got in found.items():
        by_stage = {i + 1: got[layer] for i, layer in enumerate(layers)} if isinstance(got, dict) else {0: got}
        out[name] = {stage: m[0].detach().double().numpy() for stage, m in by_stage.items()}
    return out


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())


@cache
def forgetful() -> nn.Module:
    """The network with weights that were drawn anew, and its batch norms' statistics taken on the eight pictures."""
    model = copy.deepcopy(network())
    batch = torch.cat([image(name) for name in pictures.PICTURES])
    chosen = hc.sanity.units(model, batch)
    for unit in chosen:
        hc.sanity.reinitialise(model, unit, SEED, bn="recalibrate")
    hc.sanity.recalibrate(model, chosen, batch)
    return model


def units() -> list[Unit]:
    """All there is to compute, cheapest first; what takes long goes picture by picture, so that all get some."""
    cheap, dear = [], []
    for group in settings.groups():
        some = dear if max(map(settings.forwards, group)) > 400 else cheap
        some += [(group, "asked", name) for name in pictures.PICTURES]
    questions = [question for question in settings.QUESTIONS if question != "asked"]
    several = [(settings.FOR_EVERY_QUESTION, question, name) for question in questions for name in pictures.PICTURES]
    order = [*settings.FIRST, *(name for name in pictures.PICTURES if name not in settings.FIRST)]
    return cheap + several + sorted(dear, key=lambda unit: order.index(unit[2]))


def missing(chosen: list[str] | None = None, again: bool = False) -> Iterator[Unit]:
    """What is not stored yet; with `again` also what other code than today's made."""
    for group, question, picture in units():
        wanted = tuple(name for name in group if chosen is None or name in chosen)
        wanted = tuple(name for name in wanted if not _there(name, question, picture, again))
        if wanted:
            yield wanted, question, picture


def _there(method: str, question: str, picture: str, current: bool = False) -> bool:
    made_by_code = store.read(method, question)[0].get("code", {})
    found = made_by_code.get(picture, made_by_code.get(NOBODY))
    return found == code() if current else found is not None


def do(unit: Unit) -> None:
    """Compute and store one unit. An explainer that refuses this network is stored with its sentence."""
    methods, question, picture = unit
    began = time.process_time()
    try:
        found, refused = maps(methods, picture, question)
    except REFUSALS as error:
        if len(methods) > 1:
            raise
        store.write(about(methods[0], question) | {"said": _sentence(error), "code": {NOBODY: code()}}, {})
        return
    seconds = time.process_time() - began
    for name, by_stage in found.items():
        before, tiles = store.read(name, question)
        cells = store.CELLS[settings.takes(name)]
        try:
            new = {(picture, stage): store.packed(m, cells) for stage, m in by_stage.items()}
        except ValueError as error:
            raise ValueError(f"{name} on {picture}: {error}") from None
        took = before.get("seconds", {}) | {picture: round(seconds, 2)}
        made = {key: value for key, value in before.get("code", {}).items() if key != NOBODY} | {picture: code()}
        store.write(
            about(name, question)
            | ({"refused": refused} if refused else {})
            | {"together": list(methods), "seconds": took, "code": made},
            tiles | new,
        )


def about(method: str, question: str) -> dict[str, object]:
    """What an index says of how its maps were made."""
    return {
        "method": method,
        "question": question,
        "takes": settings.takes(method),
        "call": settings.code(method),
        "network": settings.NETWORK,
        "stages": stages(),
        "versions": {name: version(name) for name in VERSIONS},
    }


@cache
def code() -> str:
    """The hash of the code that makes maps now; data/wall/code keeps the digests of its files under it."""
    list(hc.explainers.values())  # imported, so that one process has one stamp
    stamp = made_by.stamp(made_by.makers())
    name = str(stamp["hash"])[:16]
    path = store.FOLDER / "code" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(stamp, indent=1) + "\n").encode())
    return name


def stale() -> dict[str, list[str]]:
    """{"grad-cam, asked": files of holicam that have changed since some of its maps were made}."""
    changed: dict[str, list[str]] = {}
    for path in (store.FOLDER / "code").glob("*.json"):
        changed[path.stem] = made_by.changed(json.loads(path.read_text(encoding="utf-8")))
    found = {}
    for one in store.stored():
        files = {file for name in one["code"].values() for file in changed.get(name, ["not known"])}
        found[f"{one['method']}, {one['question']}"] = sorted(files)
    return {name: files for name, files in found.items() if files}


def sweep() -> None:
    """Remove what is known of code that made none of the maps there are."""
    used = {name for one in store.stored() for name in one["code"].values()}
    for path in (store.FOLDER / "code").glob("*.json"):
        if path.stem not in used:
            path.unlink()
