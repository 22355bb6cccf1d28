"""From the merged run to the files beside this report: python teaching/projects/sample/again.py results/elements.

Writes rows.csv, prints the differences of the report, and draws the picture with the largest difference at layer1.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

import holicam as hc
from holicam.experiments.evidence import difference

HERE = Path(__file__).parent
KEYS = ("image", "explainer", "layer", "metric", "value")


def rows_of(folder: Path) -> list[dict]:
    """The rows of a merged run, values with six decimals."""
    rows = parquet.read_table(folder / "rows.parquet").to_pylist()
    return [{key: round(row[key], 6) if key == "value" else row[key] for key in KEYS} for row in rows]


def stored() -> list[dict]:
    """The rows beside this file."""
    with (HERE / "rows.csv").open(encoding="utf-8", newline="") as file:
        return [row | {"value": float(row["value"])} for row in csv.DictReader(file)]


def differences(rows: list[dict], layer: str, metric: str) -> dict[str, float]:
    """{image: HiResCAM - Grad-CAM}, where both have a value."""
    one, other = (
        {r["image"]: r["value"] for r in rows if (r["explainer"], r["layer"], r["metric"]) == (name, layer, metric)}
        for name in ("HiResCAM", "Grad-CAM")
    )
    return {image: one[image] - other[image] for image in sorted(one) if np.isfinite(one[image] - other[image])}


def table(rows: list[dict]) -> list[str]:
    """The lines of the report's second table."""
    lines = []
    for metric in ("part-faithfulness", "epg", "over-all"):
        for layer in ("layer1", "layer2", "layer3"):
            d = difference(np.array(list(differences(rows, layer, metric).values())))
            lines.append(f"| {metric} | {layer} | {d.n} | {d.mean:+.3f} | {d.low:+.3f} to {d.high:+.3f} | {d.p:.3f} |")
    return lines


def picture(image: str) -> None:
    """Both maps at layer1 over one drawing, largest.jpg."""
    *_, index = image.split("/")
    batch = hc.toyland.batch(1, split="test", start=int(index), size=112)
    model = hc.load_model("toy-resnet50")
    maps = {e: hc.explainers[e]()(model, batch.images, "layer1", batch.target) for e in ("hires-cam", "grad-cam")}
    figure = hc.plot.maps(batch.rgb[0], {"HiResCAM": maps["hires-cam"], "Grad-CAM": maps["grad-cam"]})
    figure.savefig(HERE / "largest.jpg", dpi=110, bbox_inches="tight")


def main() -> None:
    """What the first line of this file says."""
    rows = rows_of(Path(sys.argv[1]))
    with (HERE / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KEYS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print("\n".join(table(rows)))
    found = differences(rows, "layer1", "part-faithfulness")
    largest = max(found, key=lambda image: abs(found[image]))
    print(f"largest at layer1: {largest}, {found[largest]:+.3f}")
    picture(largest)


if __name__ == "__main__":
    main()
