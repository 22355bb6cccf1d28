"""The command line in tests: a small network in place of a loaded one, photographs, and what a command said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

import holicam as hc
from holicam.__main__ import app
from holicam.experiments import explain_photos
from holicam.experiments import map_files as mapfiles
from tests.helpers.explainers import CHEAP


def photo(path: Path, size: tuple[int, int] = (60, 40), seed: int = 0) -> Path:
    """A picture of coloured noise in which something can be found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 120, (size[1], size[0], 3)).astype(np.uint8)
    values[: size[1] // 2, : size[0] // 2] += 100
    Image.fromarray(values).save(path)
    return path


def network(monkeypatch, model: torch.nn.Module) -> torch.nn.Module:
    """Let the command load this one, whatever its name."""
    monkeypatch.setattr(explain_photos, "load_model", lambda name, device: model.to(device))
    return model


def blank(monkeypatch) -> None:
    """Let it draw one pixel, which costs nothing, where a picture is not what is tested."""

    def draw(rgb, maps, about, explainer, toy):
        known, file = PngImagePlugin.PngInfo(), io.BytesIO()
        known.add_text(mapfiles.NAME, about[mapfiles.NAME])
        Image.new("L", (1, 1)).save(file, "png", pnginfo=known)
        return file.getvalue()

    monkeypatch.setattr(explain_photos, "draw", draw)


def run(*words: object, **options):
    """(exit status, what was said on one line); anything but a sentence fails."""
    result = CliRunner().invoke(app, [str(word) for word in words], **options)
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in said, said
    return result.exit_code, said


def explain(*words: object, model: str = "toy-resnet50", size: int = 64):
    """`holicam explain` on small images."""
    return run("explain", "--model", model, "--size", size, "--device", "cpu", *words)


RARE = {"rsp": {}}  # what CHEAP says of it is TinyNet's layer


class Cheap(dict):
    """`hc.explainers` with settings that make a method cheap."""

    def __missing__(self, name):
        return lambda: hc.explainers[name](**RARE.get(name, CHEAP.get(name, {})))
