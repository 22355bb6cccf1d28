"""Write data/results/enlarged.csv: how well the networks of the evidence know an image that is enlarged.

    python -m tools.enlarged --photos FOLDER    all of it; FOLDER as tools.card_lite0 wants it
    python -m tools.enlarged                    the toy networks; what is stored of the photographs stays

A row is a network at a size, on one kind of pictures, and a factor of the side: how often the likeliest class is the
labelled one, and the labelled class's mean probability.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import holicam as hc
from holicam.experiments.enlarged import COLUMNS, FACTORS, FILE
from holicam.experiments.loading import fingerprint
from holicam.models import lite0

from .card_lite0 import photographs

DRAWN, BATCH = 200, 20
TOYS, SIZES, SUBSETS = ("toy-resnet50", "toy-vgg16_bn"), (224, 112), ("single", "scene")
Batch = tuple[Tensor, Tensor]  # images (B, 3, H, W), labels (B,)


def drawings(subset: str, size: int, n: int = DRAWN) -> Iterator[Batch]:
    """The first test pictures, with which the stored rows begin."""
    for start in range(0, n, BATCH):
        drawn = hc.toyland.batch(min(BATCH, n - start), split="test", subset=subset, size=size, start=start)
        yield drawn.images, drawn.target


def photos(files: list[Path], model: torch.nn.Module) -> Iterator[Batch]:
    """Photographs named after their class, cut as the network wants them."""
    from timm.data import ImageNetInfo

    number = {synset: i for i, synset in enumerate(ImageNetInfo("imagenet-1k").label_names())}
    for file in files:
        label = number[file.name.partition("_")[0]]
        yield hc.photos.prepare(hc.photos.read_photo(file), model)[1], torch.tensor([label])


def rows(network: str, model: torch.nn.Module, size: int, pictures: str, batches: Iterable[Batch]) -> list[dict]:
    """A row for each factor."""
    model = model.to(memory_format=torch.channels_last)
    found = [
        hc.metrics.confidence_by_scale(model, images, labels, factors=FACTORS, mode="bicubic", chunk=BATCH)
        for images, labels in batches
    ]
    p, right = (torch.cat(each).double() for each in zip(*found, strict=True))  # (n, factors)
    about = {"network": network, "weights": fingerprint(model), "size": size, "pictures": pictures}
    return [
        {**about, "factor": f"{factor:g}", "n": len(p), "right": f"{r:.4f}", "p": f"{q:.4f}"}
        for factor, r, q in zip(FACTORS, right.mean(0).tolist(), p.mean(0).tolist(), strict=True)
    ]


def measured(folder: Path | None, path: Path) -> Iterator[dict]:
    """All rows of the file; without a folder those of photographs as they are stored."""
    for network in TOYS:
        model = hc.load_model(network)
        for size in SIZES:
            for subset in SUBSETS:
                yield from rows(network, model, size, subset, drawings(subset, size))
    if folder is None:
        with path.open(newline="", encoding="utf-8") as file:
            yield from (row for row in csv.DictReader(file) if row["pictures"] == "photographs")
        return
    model = hc.load_model(lite0.NAME)
    files = photographs(folder)
    yield from rows(lite0.NAME, model, hc.preprocessing(model).size, "photographs", photos(files, model))


def write(path: Path, found: Iterable[dict]) -> None:
    found = list(found)  # before the file is emptied
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(found)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photographs named after their class in WordNet")
    path = hc.models.data_folder() / "results" / FILE
    try:
        write(path, measured(parser.parse_args(words).photos, path))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
