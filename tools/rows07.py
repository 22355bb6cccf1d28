"""chapter07.csv, as chapter 07 reads it, of the rows that the runner stored: five methods, four layers, two networks.

    python -m holicam evaluate data/results/chapter07.toml --out results/chapter07
    python -m holicam merge results/chapter07
    python -m tools.rows07 results/chapter07

The last command copies the merged rows and their manifest to data/results; without a folder it only writes the CSV.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import holicam as hc

FOLDER = hc.models.data_folder() / "results"
NAME, SIZE, METRICS = "chapter07", 112, ("insertion", "deletion", "over-all", "epg")
FIELDS = ("network", "layer", "method", "image", *METRICS, "area")


def rows(folder: Path = FOLDER) -> Iterator[dict[str, object]]:
    """A row for each network, layer, method and image, with all metrics and the object's share of the image."""
    stored = hc.stored.load(NAME, folder)
    drawn = hc.toyland.batch(len(stored.images), split="test", size=SIZE)
    area = dict(zip(drawn.ids, drawn.object_mask.float().mean((1, 2)).tolist(), strict=True))
    for network, layer in stored.places():
        for method in stored.config["explainers"]:
            for i, image in enumerate(stored.images):
                values = {metric: stored.values[network, layer, method, metric][i] for metric in METRICS}
                yield {
                    "network": network,
                    "layer": layer,
                    "method": method,
                    "image": image.rpartition("/")[2],
                    **{metric: f"{value:.5f}" for metric, value in values.items()},
                    "area": f"{area[image]:.5f}",
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="the folder of a merged run")
    if run := parser.parse_args().run:
        shutil.copy(run / "rows.parquet", FOLDER / f"{NAME}.parquet")
        shutil.copy(run / "manifest.json", FOLDER / f"{NAME}.json")
    with (FOLDER / f"{NAME}.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, FIELDS, lineterminator="\n")
        out.writeheader()
        out.writerows(rows())


if __name__ == "__main__":
    main()
