"""Write data/efficientnet-lite0.json: what is known of the network and what was measured.

    python -m tools.card_lite0 FOLDER

The folder holds photographs named after their class in WordNet, n02124075_Egyptian_cat.jpg. They are taken by name;
each is resized and cut as the network wants it.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

import holicam as hc
from holicam.models import lite0

LIMITS = (
    "Knows ImageNet's 1,000 classes and answers with one of them whatever it is shown; 398 of them are animals, 118 of "
    "these dogs. Made for photographs of 224 pixels with one object, which mostly lies in the middle."
)


def accuracy(model: torch.nn.Module, files: list[Path]) -> dict[str, float]:
    """Shares of files whose class is the likeliest, and among the five likeliest."""
    from timm.data import ImageNetInfo

    synsets = ImageNetInfo("imagenet-1k").label_names()
    first = five = 0
    if odd := [file.name for file in files if file.name.partition("_")[0] not in synsets]:
        raise ValueError(f"{odd[0]} does not begin with a class of WordNet, such as n02124075_")
    for file in files:
        images = hc.photos.prepare(hc.photos.read_photo(file), model)[1]
        with torch.inference_mode():
            likeliest = [synsets[i] for i in model(images)[0].topk(5).indices]
        wanted = file.name.partition("_")[0]
        first, five = first + (likeliest[0] == wanted), five + (wanted in likeliest)
    return {"top-1": round(first / len(files), 4), "top-5": round(five / len(files), 4)}


def photographs(folder: Path) -> list[Path]:
    """The folder's pictures by name. Raises ValueError where there are none."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    if not (files := [file for file in found if file.suffix.lower() in (".jpg", ".jpeg", ".png")]):
        raise ValueError(f"{folder} is no folder of photographs: name one that holds JPEG or PNG files.")
    return files


def card(files: list[Path]) -> dict:
    model = hc.load_model(lite0.NAME)
    return {
        "name": lite0.NAME,
        "sha256": lite0.SHA256,
        "package": f"{lite0.PACKAGE}=={lite0.VERSION}",
        "source": "EfficientNet-Lite0, from a package of ML Illustrated, which does not say who trained the weights; "
        f"the network's modules are timm's {lite0.ARCHITECTURE}.",
        "classes": "the 1,000 of ImageNet, `holicam.class_names`",
        "parameters": sum(p.numel() for p in model.parameters()),
        "preprocessing": asdict(hc.preprocessing(model)),
        "data": "Trained on ImageNet, to judge by its classes. Measured on photographs of its training set, one a "
        f"class for {len(files)} classes, all that were at hand: no test accuracy, which is lower.",
        "measured": {"accuracy": accuracy(model, files), "accuracy_images": len(files)},
        "licence": "Apache-2.0, as the file LICENSE of the package says.",
        "limits": LIMITS,
    }


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    try:
        made = card(photographs(parser.parse_args(words).folder))
    except ValueError as error:
        parser.error(str(error))
    text = json.dumps(made, indent=1) + "\n"
    (hc.models.data_folder() / f"{lite0.NAME}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
