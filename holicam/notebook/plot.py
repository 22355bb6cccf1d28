"""Pictures of maps: maps over their image, the image itself once, a slim key, the scaling in words.

Evidence is drawn in `magma` (perceptual: equal steps of value look equal), signed maps in `RdBu_r` (red speaks for the
class, blue against it). The more evidence, the more opaque the map: where there is none the image is seen as it is.
Maps are drawn in the cells of their own grid, never smoothed, so that a 7×7 map looks like one.
Every function returns a `matplotlib.figure.Figure` unknown to pyplot: a notebook shows it once, a script calls
`savefig`, with `dpi=200` for twice a screen's resolution. Panels are 200 pixels wide or more, so three fit a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..core.floats import levelled, rounding
from ..models.extras import extra
from .overlay import EVIDENCE, SIGNED, Key, draw
from .panels import COLUMNS, WIDTH, Line, Panel, blocks, flow, place

with extra("A picture"):
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

INK, CARD, GRID = "#23252b", "#ffffff", "#d9d9d4"
LINES = ("#3b4cc0", "#c2410c", "#0f766e", "#7c3aed", "#a16207", "#475569")
OPACITY = 0.85  # of a map over its image, where evidence is strongest

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "font.size": 14,  # still readable when a phone halves it
    **dict.fromkeys(["axes.titlesize", "axes.labelsize"], 14),
    **dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize"], 13),
    # Paper and ink; the site turns them in dark mode, and only them (stored.py).
    **dict.fromkeys(["figure.facecolor", "savefig.facecolor", "axes.facecolor"], CARD),
    **dict.fromkeys(["text.color", "axes.labelcolor", "axes.edgecolor"], INK),
    **dict.fromkeys(["xtick.color", "ytick.color"], INK),
    **dict.fromkeys(["axes.spines.top", "axes.spines.right", "legend.frameon"], False),
    "axes.titlepad": 5,
    "grid.color": GRID,
    "lines.linewidth": 2.2,
    "axes.prop_cycle": cycler(color=LINES),
}


def maps(
    image: Any,
    maps: Mapping[str, Any],
    *,
    scale: str = "each",
    signed: bool = False,
    overlay: float | None = None,
    outline: Any = None,
    unit: str = "",
    title: str = "image",
    columns: int = COLUMNS,
) -> Figure:
    """The image and its maps, each map over the image, at most three panels a line.

    image: uint8 RGB (H, W, 3). maps: {name: (h, w)}. scale: "each" brings every map to [0, 1] by
    its own minimum and maximum, "all" keeps raw values on one scale. signed: symmetric about
    zero, diverging colours; "each" then divides a map by its largest magnitude. overlay: opacity,
    0 to 1, of the strongest evidence over the image, less evidence is more transparent and none
    leaves the image as it is; 0 shows the map alone. By default a scaled map lies over the image, and raw
    values stand alone, so that they can be read from the key. outline: bool (H, W), a region drawn as
    a line over every panel. unit: what raw values measure. columns: panels a line, three at most.
    TypeError, ValueError: one sentence.
    """
    _filled(maps, "maps", "map of shape (h, w)")
    named = [[_map(values, name) for name, values in maps.items()]]
    drawn, bar = _scaled(named, scale, signed, unit)
    rgb = _rgb(image)
    panels = [Panel(str(title), rgb), *(Panel(str(k), rgb, m) for k, m in zip(maps, drawn[0], strict=True))]
    return _panels(flow(panels, columns), bar, _opacity(overlay, scale), outline)


def grid(
    image: Any,
    rows: Mapping[str, Mapping[str, Any]],
    *,
    scale: str = "each",
    signed: bool = False,
    overlay: float | None = None,
    outline: Any = None,
    unit: str = "",
) -> Figure:
    """Layers × methods: maps in rows and columns; columns that do not fit a line follow in a block below.

    image: uint8 RGB (H, W, 3), shown once, or a list with one image a row, shown at the start of each.
    rows: {row: {column: (h, w)}}, the same columns in every row. scale: as in `maps`, or "row": one
    scale in a row, each row brought to [0, 1] by its own limits. The other arguments as in `maps`; an
    outline fits one image only.
    """
    _filled(rows, "rows", "{column name: map (h, w)}")
    columns = list(next(iter(rows.values())))
    if any(list(row) != columns for row in rows.values()):
        raise ValueError("every row of a grid must hold the same columns in the same order.")
    pictures = list(image) if isinstance(image, (list, tuple)) else [image] * len(rows)
    if len(pictures) != len(rows):
        raise ValueError(f"{len(pictures)} images for {len(rows)} rows: give one, or one a row.")
    named = [[_map(m, f"{name}, {k}") for k, m in row.items()] for name, row in rows.items()]
    drawn, bar = _scaled(named, scale, signed, unit)
    images = [_rgb(picture) for picture in pictures]
    once = all(np.array_equal(images[0], other) for other in images)
    table = {
        str(name): ([] if once else [Panel("image", rgb)])
        + [Panel(str(k), rgb, m) for k, m in zip(columns, row, strict=True)]
        for name, rgb, row in zip(rows, images, drawn, strict=True)
    }
    lines = blocks(table, Panel("image", images[0]) if once else None)
    return _panels(lines, bar, _opacity(overlay, scale), outline)


def images(pictures: Mapping[str, Any], *, columns: int = COLUMNS) -> Figure:
    """Pictures side by side, each under its name: {name: uint8 RGB (H, W, 3)}.

    columns: pictures a row; where more than three, a row of them is broken into lines, and the next row starts anew.
    """
    _filled(pictures, "pictures", "uint8 RGB image (H, W, 3)")
    panels = [Panel(str(name), _rgb(picture)) for name, picture in pictures.items()]
    row = columns if columns > COLUMNS and len(panels) % columns == 0 else len(panels)
    return _panels([line for i in range(0, len(panels), row) for line in flow(panels[i : i + row], columns)])


def curves(
    x: Any, series: Mapping[str, Any], *, xlabel: str, ylabel: str, limits: tuple[float, float] | None = None
) -> Figure:
    """Lines over one axis: x (n,) numbers or names, series {name: (n,)}; `limits` of the values."""
    _filled(series, "series", "values of shape (n,)")
    across = _array(x).ravel()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
        axes = figure.subplots()
        for i, (name, values) in enumerate(series.items()):
            y = _array(values).ravel()
            if len(y) != len(across):
                raise ValueError(f"curve {name!r} has {len(y)} points, x has {len(across)}.")
            # Colour alone does not tell lines apart for everyone: the dash changes too.
            axes.plot(across, y, ("-", "--", "-.", ":")[i % 4], marker="o", label=name)
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
        axes.grid()
        if len(series) > 1:
            axes.legend()
    return figure


Bar = tuple[float, float, str, str]  # lowest and highest value, colour map, label


def _scaled(rows: list[list[np.ndarray]], scale: str, signed: bool, unit: str) -> tuple[list[list[np.ndarray]], Bar]:
    """Maps brought to one colour scale, and that scale. A constant map becomes zeros."""

    def limits(group: list[np.ndarray]) -> tuple[float, float]:
        low, high = min(float(m.min()) for m in group), max(float(m.max()) for m in group)
        top = max(-low, high)
        if len(group) > 1 and high - low <= rounding(torch.float32) * top:
            high = low  # constant each, and all of them the same
        return (-top, top) if signed else (low, high)

    def relative(m: np.ndarray, low: float, high: float) -> np.ndarray:
        span = high - low
        unit_range = (m - low) / span if span > 0 else np.full_like(m, 0.5 if signed else 0.0)
        return 2 * unit_range - 1 if signed else unit_range

    colours, zero = (SIGNED, -1.0) if signed else (EVIDENCE, 0.0)
    how = "divided by its largest magnitude" if signed else "scaled min–max"
    if scale == "each":
        done = [[relative(m, *limits([m])) for m in row] for row in rows]
        return done, (zero, 1.0, colours, f"each map {how}")
    if scale == "row":
        done = [[relative(m, *limits(row)) for m in row] for row in rows]
        return done, (zero, 1.0, colours, f"each row {how}")
    if scale == "all":
        low, high = limits([m for row in rows for m in row])
        if high <= low:  # one value everywhere; about zero it is the middle of the scale
            low, high = (-1.0, 1.0) if signed else (low, low + 1.0)
        return rows, (low, high, colours, unit or "raw values")
    raise ValueError(f'scale must be "each", "row" or "all"; got {scale!r}.')


def _opacity(overlay: float | None, scale: str) -> float:
    if overlay is None:
        return 0.0 if scale == "all" else OPACITY
    if not 0 <= overlay <= 1:
        raise ValueError(f"overlay must be an opacity from 0 to 1; got {overlay!r}.")
    return float(overlay)


def _panels(lines: list[Line], bar: Bar | None = None, opacity: float = 0.0, outline: Any = None) -> Figure:
    """Draws the panels where `place` puts them, and the key below."""
    key = Key(*bar, opacity) if bar else None
    with matplotlib.rc_context(STYLE):
        placed = place(lines, key.height if key else None)
        for panel, axes in placed.axes:
            draw(axes, panel.image, panel.map, key)
            if outline is not None:
                region = _array(outline).squeeze()
                if region.shape != panel.image.shape[:2]:
                    raise ValueError(
                        f"outline must be (H, W) = {panel.image.shape[:2]}, as the image is; got {region.shape}."
                    )
                axes.contour(region, [0.5], colors=[INK], linewidths=1.6, alpha=0.7)
                axes.contour(region, [0.5], colors=["white"], linewidths=0.8)
        if key:
            key.add(placed.figure, placed.left)
    return placed.figure


def _array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a torch tensor on any device; float: NumPy has no bfloat16
        values = values.detach().cpu()
        values = values.float() if values.is_floating_point() else values
    return np.asarray(values)


def _map(values: Any, name: str) -> np.ndarray:
    """(h, w) float64; a leading axis of one is dropped, and a map that is constant up to rounding is exactly so."""
    m = _array(values)
    m = m[0] if m.ndim == 3 and len(m) == 1 else m
    if m.ndim != 2:
        raise ValueError(f"map {name!r} must have shape (h, w); got {m.shape}.")
    if not np.isfinite(m).all():
        raise ValueError(f"map {name!r} holds NaN or infinity; a map must be finite.")
    m = m.astype(np.float32 if m.dtype in (np.float16, np.float32) else np.float64)
    return levelled(torch.tensor(m)).double().numpy()


def _rgb(image: Any) -> np.ndarray:
    rgb = _array(image)
    rgb = rgb[0] if rgb.ndim == 4 and len(rgb) == 1 else rgb
    rgb = rgb[..., None] if rgb.ndim == 2 else rgb
    rgb = rgb.repeat(3, axis=2) if rgb.ndim == 3 and rgb.shape[2] == 1 else rgb  # grey
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise TypeError(
            "image must be uint8 RGB of shape (H, W, 3), as batch.rgb[0], or grey, (H, W); "
            f"got {rgb.dtype} of shape {rgb.shape}."
        )
    return rgb


def _filled(value: Any, name: str, entry: str) -> None:
    if not isinstance(value, Mapping) or not value:
        raise TypeError(f"{name} must be a non-empty dict {{name: {entry}}}.")
