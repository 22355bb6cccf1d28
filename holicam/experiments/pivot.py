"""Rows as columns: of each network, layer, explainer and metric a value an image, for tables, figures, the book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .evidence import Grouping
from .joining import SKIPPED

Cell = tuple[str, str, str, str]  # network, layer ("" for a map that is not of one), explainer, metric


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """The rows of a run. config: as its manifest has it. images: their ids, in the order of all values.

    values: {cell: (n,) float64}, NaN where a row has none. skipped: {image: why it could not be read}.
    rows: as they were given, for columns that few ask for (`pivoted`).
    """

    config: Mapping[str, object]
    images: tuple[str, ...]
    values: Mapping[Cell, np.ndarray] = field(repr=False)
    skipped: Mapping[str, str] = field(repr=False, default_factory=dict)
    rows: Sequence[Mapping[str, object]] = field(repr=False, default=())

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, object]], config: Mapping[str, object], **more: object) -> Results:
        """Of result rows; more: fields of a subclass, and `images`, where they are to stand in another order."""
        notes = {row["image"]: row["note"] for row in rows if (row.get("note") or "").startswith(SKIPPED)}
        images = more.pop("images", None) or tuple(sorted({row["image"] for row in rows}))
        values = pivoted(rows, "value", images, np.nan)
        skipped = {image: note.removeprefix(SKIPPED) for image, note in notes.items()}
        return cls(config=config, images=images, values=values, skipped=skipped, rows=rows, **more)

    def places(self) -> Iterator[tuple[str, str]]:
        """(network, layer), networks in the configuration's order."""
        for network in self.config["networks"]:
            for layer in sorted({key[1] for key in self.values if key[0] == network}):
                yield network, layer

    def column(self, network: str, layer: str, metric: str) -> dict[str, np.ndarray]:
        """{explainer: (n,)} at one place, in the configuration's order."""
        keys = {label: (network, layer, label, metric) for label in self.config["explainers"]}
        return {label: self.values[key] for label, key in keys.items() if key in self.values}

    def read(self) -> np.ndarray:
        """(n,) bool: the images that could be read."""
        return np.array([image not in self.skipped for image in self.images], bool)

    def grouping(self) -> Grouping | None:
        """What belongs together: the classes in an image, of whose means tables are, or the questions about a mosaic.

        None where each value has an image of its own. Mosaics that share a photograph count as two.
        """
        if self.config.get("pairs"):
            targets = np.array([said or 0 for said in self.of_images("target")], int)
            return Grouping(np.array([image.rpartition("#")[0] or image for image in self.images]), targets)
        if self.config["dataset"]["name"] == "mosaics":
            return Grouping(np.array([image.partition("/")[0] for image in self.images]))
        return None

    def pivoted(self, column: str) -> dict[Cell, np.ndarray]:
        """{cell: (n,)} of another column of the rows; None where there is no row, and for images that were skipped."""
        return pivoted([row for row in self.rows if row["image"] not in self.skipped], column, self.images, None)

    def of_images(self, column: str) -> list[object]:
        """What a column says of each image, in order; of an image that was skipped None."""
        said = {row["image"]: row[column] for row in self.rows if row["image"] not in self.skipped}
        return [said.get(image) for image in self.images]


def pivoted(
    rows: Iterable[Mapping[str, object]], column: str, images: Sequence[str], empty: object
) -> dict[Cell, np.ndarray]:
    """{cell: (n,)} of one column of rows, `empty` where there is no row; numbers where `empty` is one."""
    place, found = {image: i for i, image in enumerate(images)}, {}
    kind = float if isinstance(empty, float) else object
    for row in rows:
        key = row["network"], row["layer"], row["explainer"], row["metric"]
        if key not in found:
            found[key] = np.full(len(images), empty, kind)
        found[key][place[row["image"]]] = row[column]
    return found
