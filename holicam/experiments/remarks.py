"""What a reader of a table must know of its rows: images that could not be read, maps that say nothing.

Scores that follow from a map's order alone, such as insertion, count a map without any order by the
rule for ties; so its means are said twice, with such maps in the table and without them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .joining import SKIPPED


def remarks(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """One sentence on the images that were skipped, one for each explainer with maps that say nothing."""
    skipped, flat, known = {}, {}, {}
    for row in rows:
        if row["note"].startswith(SKIPPED):
            skipped[row["image"]] = row["note"].removeprefix(SKIPPED)
            continue
        key = row["network"], row["layer"], row["explainer"]
        flat.setdefault(key, {})[row["image"]] = row["degenerate"]
        if row["degenerate"] == "none":
            known.setdefault(key, {}).setdefault(row["metric"], []).append(row["value"])
    said = []
    if skipped:
        name, reason = min(skipped.items())
        said.append(f"{len(skipped)} could not be read, the first: {name} ({reason}).")
    for (network, layer, explainer), kinds in sorted(flat.items()):
        odd = [kind for kind in kinds.values() if kind != "none"]
        if odd:
            counts = ", ".join(f"{odd.count(kind)} {kind}" for kind in sorted(set(odd)))
            rest = {
                metric: [v for v in values if np.isfinite(v)]
                for metric, values in known.get((network, layer, explainer), {}).items()
            }
            means = ", ".join(f"{metric} {np.mean(values):.3f}" for metric, values in rest.items() if values)
            where = ", ".join(filter(None, (network, layer, explainer)))
            said.append(
                f"{where}: {len(odd)} of {len(kinds)} maps say nothing ({counts})"
                + (f"; without them {means}." if means else ".")
            )
    return said
