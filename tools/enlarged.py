"""Write data/results/enlarged.csv: how well the networks of the evidence know an image that is enlarged.

    python -m tools.enlarged --photos FOLDER    all of it; FOLDER as tools.card_lite0 wants it
    python -m tools.enlarged                    the toy networks; what is stored of the photographs stays

A row is a network at a size, on one kind of pictures, and a factor of the side: how often the likeliest class is the
labelled one, and the labelled class's mean probability.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import holicam as hc
from holicam.experiments.enlarged import COLUMNS, FACTORS, FILE, PHOTOGRAPHS
from holicam.experiments.loading import fingerprint
from holicam.experiments.whole_files import write_whole
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


def labelled(folder: Path) -> list[tuple[Path, int]]:
    """Photographs and their classes, after which they are named.

    Raises ValueError: a folder without photographs, or one of another name.
    """
    from timm.data import ImageNetInfo

    number = {synset: i for i, synset in enumerate(ImageNetInfo("imagenet-1k").label_names())}
    files = photographs(folder)
    if strange := [file for file in files if file.name.partition("_")[0] not in number]:
        raise ValueError(f"{strange[0]} is not named after a class of ImageNet, as n01440764_tench.jpg is.")
    return [(file, number[file.name.partition("_")[0]]) for file in files]


def photos(files: Iterable[tuple[Path, int]], model: torch.nn.Module) -> Iterator[Batch]:
    """Photographs, cut as the network wants them."""
    for file, label in files:
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


def measured(files: list[tuple[Path, int]] | None, path: Path) -> Iterator[dict]:
    """All rows of the file; without photographs theirs as they are stored."""
    for network in TOYS:
        model = hc.load_model(network)
        for size in SIZES:
            for subset in SUBSETS:
                yield from rows(network, model, size, subset, drawings(subset, size))
    if files is None:
        with path.open(newline="", encoding="utf-8") as file:
            yield from (row for row in csv.DictReader(file) if row["pictures"] == PHOTOGRAPHS)
        return
    model = hc.load_model(lite0.NAME)
    yield from rows(lite0.NAME, model, hc.preprocessing(model).size, PHOTOGRAPHS, photos(files, model))


def write(path: Path, found: Iterable[dict]) -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    out.writeheader()
    out.writerows(found)
    write_whole(path, text.getvalue().encode())


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photographs named after their class in WordNet")
    path, folder = hc.models.data_folder() / "results" / FILE, parser.parse_args(words).photos
    try:
        files = folder and labelled(folder)  # before the toy networks, which take half an hour
    except ValueError as error:
        parser.error(str(error))
    write(path, measured(files, path))


if __name__ == "__main__":
    main()
