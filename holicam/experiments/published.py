"""What the papers print, beside which our tables are put."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from ..models import data_folder

FILES = {
    "holistic-cam-table1": "holistic_main_table1",
    "holistic-cam-table2": "holistic_main_table2",
    "holistic-cam-table6": "holistic_appendix_table6",
    **{f"holistic-cam-appendix{i}": f"holistic_appendix_table{i}" for i in range(1, 6)},
    **{f"poly-cam-table{i}": f"polycam_table{i}" for i in range(1, 6)},
    **{f"ucag-table{i}": f"ucag_table{i}" for i in range(1, 6)},
    **{f"ucag-table{i}-coco": f"ucag_table{i}" for i in (2, 3)},
}
METRICS = {
    "over_all": "over-all",
    "ins_minus_del": "over-all",
    "energy_pointing_game": "epg",
    "pointing_game": "pointing-game",
    "sensitivity_max": "sensitivity-max",
    "density_pos": "map-density+",
    "density_neg": "map-density-",
    "pixel_accuracy": "segmentation-accuracy",
}
# The pointing game of Holistic-CAM's tables is printed once; ours counts it in the paper's words, and otherwise.
ANOTHER_COUNT = {"epg-box-count": "epg", "epg-box": "epg"}


def published(table: str) -> dict[tuple[str, str, str, str], tuple[str, str]]:
    """{(model, layer, method and variant, metric): (value as printed, with its unit; note)}.

    Of tables on two data sets, COCO's where the table's name ends so, else VOC's. The metric of a
    difficult subset is "pointing-game difficult".
    """
    other = "VOC07" if table.endswith("-coco") else "COCO14"
    path = data_folder() / "published" / f"{FILES.get(table, '')}.csv"
    if table not in FILES or not path.exists():
        return {}
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            method = " ".join(filter(None, (row["method"], row["variant"])))
            note = "" if row["flag"] == "ok" else f"{row['flag']}: {row['note']}"
            said = f"{row['value']} {'%' if row['unit'] == 'percent' else ''}".strip()
            metric = METRICS.get(row["metric"], row["metric"])
            metric += " difficult" if row["subset"] == "difficult" else ""
            if not row["dataset"].startswith(other):
                model = row["model"].split(" ")[0].replace("-", "").lower()
                found[model, row["layer"], method, metric] = said, note
    return found


def beside(known: Mapping, network: str, layer: str, label: str, metric: str) -> tuple[str, str]:
    """The published value of a cell, where the paper has one for this network or its big twin."""
    metric = ANOTHER_COUNT.get(metric, metric)
    model = network.removeprefix("toy-").removesuffix("_bn").replace("-", "").replace("_", "").lower()
    method, _, where = label.rpartition(" ")
    for key in ((model, layer, label, metric), (model, "", label, metric), (model, where, method, metric)):
        if key in known:
            return known[key]
    return "", ""


def in_our_unit(said: str) -> str:
    """A printed value as a fraction, as ours are, with all of its digits: "36.30 %" is "0.3630"."""
    number, percent, _ = said.partition("%")
    try:
        return f"{Decimal(number.strip()).scaleb(-2):f}" if percent else said
    except InvalidOperation:
        return said
