"""A table of results: HTML where pages are drawn, aligned text everywhere else, with the same numbers in both."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from numbers import Real
from typing import Any

DASH = "–"  # no value


@dataclass(frozen=True)
class Table:
    """What `table` returns: the last line of a cell shows it. cells: rows of texts, the names of the columns first."""

    cells: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]]
    apart: int | None
    caption: str

    def __repr__(self) -> str:
        marked = [
            [text + ("*" if (i, j) in self.best else " " if j else "") for j, text in enumerate(row)]
            for i, row in enumerate(self.cells)
        ]
        wide = [max(map(len, column)) for column in zip(*marked, strict=True)]
        lines = [
            "  ".join(text.rjust(w) if j else text.ljust(w) for j, (text, w) in enumerate(zip(row, wide, strict=True)))
            for row in marked
        ]
        lines = [line.rstrip() for line in lines]
        if self.apart is not None:
            lines.insert(self.apart, "-" * max(map(len, lines)))
        return "\n".join([*([self.caption] if self.caption else []), *lines])

    def _repr_html_(self) -> str:
        head, *body = self.cells
        out = [
            '<table class="results">',
            f"<caption>{escape(self.caption)}</caption>" if self.caption else "",
            "<thead><tr>",
        ]
        out += [f'<th scope="col">{escape(text)}</th>' for text in head]
        out.append("</tr></thead><tbody>")
        for i, row in enumerate(body, 1):
            out.append('<tr class="apart">' if self.apart is not None and i >= self.apart else "<tr>")
            for j, text in enumerate(row):
                tag, scope = ("td", "") if j else ("th", ' scope="row"')
                said = f"<strong>{escape(text)}</strong>" if (i, j) in self.best else escape(text)
                out.append(f"<{tag}{scope}>{said}</{tag}>")
            out.append("</tr>")
        return "".join([*out, "</tbody></table>"])


def table(
    rows: Mapping[str, Mapping[str, Any]],
    *,
    digits: int = 2,
    best: Mapping[str, str] | None = None,
    apart: Collection[str] = (),
    per_cent: Collection[str] = (),
    corner: str = "",
    caption: str = "",
) -> Table:
    """Rows of results, as HTML on a page and as text in a console.

    Args:
        rows: {row: {column: value}}. A value is a number; (mean, low, high), or what has these as attributes, as
            `hc.evidence.difference` gives it; or a text. A column may be missing from a row, and NaN is a dash.
        digits: behind the point, also of intervals. Whole numbers given as `int` stay whole.
        best: {column: "more" or "less"}: the largest or smallest number of the column is set bold, and starred in
            text. Rows that are set apart do not take part. Only where a difference is sure is a mark fair.
        apart: rows that are set below the others: controls.
        per_cent: columns of shares, given in per cent without decimals.
        corner: what the rows are.
        caption: what is measured, on how many images.

    Returns:
        A `Table`; as the last line of a cell it is drawn.

    Raises:
        TypeError: no mapping of mappings, or an empty one. ValueError: a value that is none of these, a column or row
            that is named and not there, a `best` that is neither "more" nor "less".

    Example:
        >>> import holicam as hc
        >>> hc.table({"Grad-CAM": {"share": 0.31, "n": 8}, "random": {"share": 0.1}}, apart=["random"])
                  share   n
        Grad-CAM   0.31   8
        -------------------
        random     0.10   –
    """
    if not isinstance(rows, Mapping) or not rows or not all(isinstance(row, Mapping) for row in rows.values()):
        raise TypeError(f"a table is made of {{row: {{column: value}}}}, not of {rows!r:.60}")
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    for name, given, known in (("apart", apart, rows), ("best", best or (), columns), ("per_cent", per_cent, columns)):
        if missing := [each for each in given if each not in known]:
            raise ValueError(f"{name} names {missing[0]!r}, which is none of {', '.join(known)}")
    if wrong := [said for said in (best or {}).values() if said not in ("more", "less")]:
        raise ValueError(f"best is 'more' or 'less', not {wrong[0]!r}")
    names = [row for row in rows if row not in apart] + [row for row in rows if row in apart]
    read = {row: {c: _read(rows[row].get(c, math.nan), f"{row}, {c}") for c in columns} for row in names}
    cells = [(corner, *columns)]
    cells += [(row, *(_said(read[row][c], digits, c in per_cent) for c in columns)) for row in names]
    marked = set()
    for column, wanted in (best or {}).items():
        j = columns.index(column) + 1
        taking = {i: read[row][column][0] for i, row in enumerate(names, 1) if row not in apart}
        taking = {i: value for i, value in taking.items() if isinstance(value, Real) and math.isfinite(value)}
        if taking:
            top = (max if wanted == "more" else min)(taking, key=lambda i: taking[i])
            marked |= {(i, j) for i in taking if cells[i][j] == cells[top][j]}
    first = next((i for i, row in enumerate(names, 1) if row in apart), None)
    return Table(tuple(cells), frozenset(marked), first, caption)


def _read(value: Any, where: str) -> str | tuple[Real, ...]:
    """A text as it is; a number as (number,); an estimate as (mean, low, high)."""
    if isinstance(value, str):
        return value
    if all(hasattr(value, name) for name in ("mean", "low", "high")):
        value = value.mean, value.low, value.high
    if not isinstance(value, (tuple, Real)) and getattr(value, "ndim", 1) == 0:  # a tensor or array of one number
        value = value.item()
    found = value if isinstance(value, tuple) else (value,)
    if len(found) not in (1, 3) or not all(isinstance(each, Real) for each in found):
        raise ValueError(f"{where}: a value is a number, (mean, low, high) or a text, not {value!r:.40}")
    return found


def _said(value: str | tuple[Real, ...], digits: int, per_cent: bool) -> str:
    """A value as it is shown."""
    if isinstance(value, str):
        return value
    middle, *ends = (_figure(each, digits, per_cent) for each in value)
    return f"{middle} [{ends[0]}, {ends[1]}]" if ends and DASH not in ends else middle


def _figure(value: Real, digits: int, per_cent: bool) -> str:
    if not math.isfinite(value):
        return DASH
    whole = isinstance(value, int) and not per_cent
    text = f"{value:d}" if whole else f"{float(value) * (100 if per_cent else 1):.{0 if per_cent else digits}f}"
    text = text.lstrip("-") if float(text) == 0 else text  # no minus zero
    return text.replace("-", "−") + (" %" if per_cent else "")
