"""Whether a network still knows an image that is enlarged: what stands beside every table of scores.

Holistic-CAM, CAMERAS and MSG-CAM show a network its image at up to some four times the side, UCAG patches of it at two
to three times. What they score says something of the method only as far as the network knows what it is shown. For the
networks of the book's evidence data/results/enlarged.csv has the answer, which `python -m tools.enlarged` measured.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ..models import data_folder

FILE = "enlarged.csv"
FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)  # of the side, bicubic
COLUMNS = ("network", "weights", "size", "pictures", "factor", "n", "right", "p")
PHOTOGRAPHS = "photographs"
KINDS = {"single": "drawings", "scene": "scenes", PHOTOGRAPHS: PHOTOGRAPHS}  # subsets of Toyland in a reader's words


@dataclass(frozen=True)
class Enlarged:
    """What a network knows of n pictures, by factor of their side.

    weights: the twelve digits that manifests have. right: shares whose likeliest class is the label. p: the label's
    mean probability.
    """

    network: str
    weights: str
    size: int
    pictures: str
    n: int
    factors: tuple[float, ...]
    right: tuple[float, ...]
    p: tuple[float, ...]

    @property
    def of(self) -> str:
        """Where the numbers are of: "At 224 px, enlarged 1, 2 times, n = 200 drawings, p of the label"."""
        times = ", ".join(f"{factor:g}" for factor in self.factors)
        return f"At {self.size} px, enlarged {times} times, n = {self.n} {KINDS[self.pictures]}, p of the label"

    @property
    def numbers(self) -> str:
        """The network and its numbers: "toy-resnet50 right 99, 93 %, p 0.94, 0.70"; 100 where it always is."""
        right = ", ".join(f"{100 * share if share == 1 else min(100 * share, 99):.0f}" for share in self.right)
        return f"{self.network} right {right} %, p {', '.join(f'{p:.2f}' for p in self.p)}"


@cache
def stored() -> Mapping[tuple[str, int, str], Enlarged]:
    """{(network, size, pictures): what is stored}."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    with (data_folder() / "results" / FILE).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(tuple(row[key] for key in ("network", "weights", "size", "pictures", "n")), []).append(row)
    return {
        (network, int(size), pictures): Enlarged(
            network,
            weights,
            int(size),
            pictures,
            int(n),
            *(tuple(float(row[key]) for row in rows) for key in ("factor", "right", "p")),
        )
        for (network, weights, size, pictures, n), rows in found.items()
    }


def line(*networks: str, size: int = 224, pictures: str = "") -> str:
    r"""What stands beside a table of these networks: accuracy and confidence over enlarged copies, a line a network.

    Args:
        networks: names that `load_model` knows.
        size: of the images that the table is of.
        pictures: "single" or "scene" of Toyland, or "photographs"; by default the first that is stored.

    Raises:
        ValueError: nothing is stored of a network at this size.

    Example:
        >>> import holicam as hc
        >>> print(hc.enlarged.line("efficientnet-lite0").split(", n")[0])
        At 224 px, enlarged 1, 1.5, 2, 3, 4 times
    """
    found: dict[str, list[str]] = {}
    for network in networks:
        kinds = [one for (name, side, kind), one in stored().items() if (name, side) == (network, size)]
        kinds = [one for one in kinds if pictures in ("", one.pictures)]
        if not kinds:
            there = "; ".join(f"{name} at {side} px, {kind}" for name, side, kind in stored())
            wanted = f"{size} px, {pictures}" if pictures else f"{size} px"
            raise ValueError(f"nothing is stored of {network} at {wanted}, but of {there}")
        found.setdefault(kinds[0].of, []).append(kinds[0].numbers)
    return "\n".join(f"{of}:\n" + ";\n".join(numbers) + "." for of, numbers in found.items())


def beside(config: Mapping) -> str:
    """`line` for networks, size and pictures of a configuration, as stored rows have it: `rows.config`.

    Raises ValueError as `line`.
    """
    size, pictures = shown(config["dataset"])
    return line(*config["networks"], size=size, pictures=pictures)


def of_run(manifest: Mapping) -> str:
    """The same without line breaks for a run with its own weights, and which networks it is not stored of."""
    known: list[str] = []
    unknown: list[str] = []
    size, pictures = shown(manifest["config"]["dataset"], manifest.get("preset", ""))
    for network, weights in manifest["weights"].items():
        one = stored().get((network, size, pictures))
        (known if one is not None and one.weights == weights else unknown).append(network)
    said = [line(*known, size=size, pictures=pictures)] if known else []
    if unknown:
        those = f"{' and '.join(unknown)} {'knows' if len(unknown) == 1 else 'know'}"
        said.append(
            f"Not stored: how well {those} images of this size that are enlarged; `hc.metrics.confidence_by_scale` "
            "measures it."
        )
    return " ".join(" ".join(said).split())


def shown(dataset: Mapping, preset: str = "") -> tuple[int, str]:
    """Size and kind of a data set's pictures. Photographs have the network's own size where no preset says another."""
    if dataset["name"] == "toyland":
        return dataset.get("size", 224), dataset.get("subset", "single")
    cut = re.search(r"size=(\d+)", preset)
    return int(cut[1]) if cut else 224, PHOTOGRAPHS
