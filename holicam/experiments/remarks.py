"""What a reader of a table must know of its rows: images that could not be read, maps that say nothing.

Scores that follow from a map's order alone, such as insertion, count a map without any order by the
rule for ties; so its means are said twice, with such maps in the table and without them here.
"""

from __future__ import annotations

import numpy as np

from .evidence import Grouping, mean
from .pivot import Results


def remarks(results: Results, chosen: np.ndarray | None = None, grouping: Grouping | None = None) -> list[str]:
    """One sentence on the images that were skipped, one for each explainer with maps that say nothing.

    chosen: (n,) bool, the images that the table counts, None for all; grouping: of its means, see `evidence.mean`.
    """
    said = []
    if results.skipped:
        name, reason = min(results.skipped.items())
        said.append(f"{len(results.skipped)} could not be read, the first: {name} ({reason}).")
    kinds = results.pivoted("degenerate")
    for place in sorted({key[:3] for key in kinds}):
        cells = {key[3]: kind for key, kind in kinds.items() if key[:3] == place}
        if chosen is not None:
            cells = {metric: np.where(chosen, kind, None) for metric, kind in cells.items()}
        each = zip(*cells.values(), strict=True)  # of an image, what each metric's row says of the same map
        known = [next(kind for kind in said_of if kind) for said_of in each if any(said_of)]
        odd = [kind for kind in known if kind != "none"]
        if odd:
            counts = ", ".join(f"{odd.count(kind)} {kind}" for kind in sorted(set(odd)))
            means = []
            for metric, kind in cells.items():
                value = mean(np.where(kind == "none", results.values[*place, metric], np.nan), grouping)
                means += [f"{metric} {value:.3f}"] if np.isfinite(value) else []
            where = ", ".join(filter(None, place))
            said.append(
                f"{where}: {len(odd)} of {len(known)} maps say nothing ({counts})"
                + (f"; without them {', '.join(means)}." if means else ".")
            )
    return said
