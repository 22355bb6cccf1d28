"""Pictures of maps: the image first, its maps beside it, one colour bar, the scaling in words.

Evidence is drawn in `magma` (perceptual: equal steps of value look equal), signed maps in `RdBu_r`
(white is zero, red speaks for the class, blue against it). Every function returns a
`matplotlib.figure.Figure` unknown to pyplot: a notebook shows it once, a script calls `savefig`.
Maps are drawn in the cells of their own grid, never smoothed, so that a 7×7 map looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..core.floats import levelled, rounding
from ..models.extras import extra

with extra("A picture"):
    import matplotlib
    from cycler import cycler
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

EVIDENCE, SIGNED = "magma", "RdBu_r"
INK, CARD, GRID = "#23252b", "#fcfcfa", "#d9d9d4"
LINES = ("#3b4cc0", "#c2410c", "#0f766e", "#7c3aed", "#a16207", "#475569")
WIDTH = 6.8  # inches: the text column at 100 dpi; a phone shows it at half that

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "font.size": 14,  # still readable when a phone halves it
    **dict.fromkeys(["axes.titlesize", "axes.labelsize"], 14),
    **dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize"], 13),
    # A light card on dark pages too: colours keep their meaning.
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
    overlay: float = 0.0,
    outline: Any = None,
    unit: str = "",
    title: str = "image",
    columns: int = 4,
) -> Figure:
    """The image and its maps, at most `columns` panels a line.

    image: uint8 RGB (H, W, 3). maps: {name: (h, w)}. scale: "each" brings every map to [0, 1] by
    its own minimum and maximum, "all" keeps raw values on one scale. signed: symmetric about
    zero, diverging colours; "each" then divides a map by its largest magnitude. overlay: opacity
    of a map over the greyed image, 0 shows the map alone. outline: bool (H, W), a region drawn as
    a line over every panel. unit: what raw values measure. TypeError, ValueError: one sentence.
    """
    _filled(maps, "maps", "map of shape (h, w)")
    named = [[_map(values, name) for name, values in maps.items()]]
    drawn, bar = _scaled(named, scale, signed, unit)
    panels = [(title, image, None), *((k, image, m) for k, m in zip(maps, drawn[0], strict=True))]
    return _panels(panels, columns, bar, overlay, outline)


def grid(
    image: Any,
    rows: Mapping[str, Mapping[str, Any]],
    *,
    scale: str = "each",
    signed: bool = False,
    overlay: float = 0.0,
    outline: Any = None,
    unit: str = "",
) -> Figure:
    """Layers × methods: every row starts with the image, its maps follow.

    image: uint8 RGB (H, W, 3), or a list with one image a row. rows: {row: {column: (h, w)}}, the
    same columns in every row. scale: as in `maps`, or "row": one scale in a row, each row brought
    to [0, 1] by its own limits. The other arguments as in `maps`; an outline fits one image only.
    """
    _filled(rows, "rows", "{column name: map (h, w)}")
    columns = list(next(iter(rows.values())))
    if any(list(row) != columns for row in rows.values()):
        raise ValueError("every row of a grid must hold the same columns in the same order.")
    pictures = image if isinstance(image, (list, tuple)) else [image] * len(rows)
    if len(pictures) != len(rows):
        raise ValueError(f"{len(pictures)} images for {len(rows)} rows: give one, or one a row.")
    named = [[_map(m, f"{name}, {k}") for k, m in row.items()] for name, row in rows.items()]
    drawn, bar = _scaled(named, scale, signed, unit)
    titles = iter(["image", *columns])  # only the first row of panels carries titles
    panels = [
        (next(titles, ""), picture, m) for picture, row in zip(pictures, drawn, strict=True) for m in (None, *row)
    ]
    return _panels(panels, 1 + len(columns), bar, overlay, outline, list(rows))


def images(pictures: Mapping[str, Any], *, columns: int = 4) -> Figure:
    """Pictures side by side, each under its name: {name: uint8 RGB (H, W, 3)}."""
    _filled(pictures, "pictures", "uint8 RGB image (H, W, 3)")
    panels: list[tuple[str, Any, np.ndarray | None]] = [(name, picture, None) for name, picture in pictures.items()]
    return _panels(panels, columns)


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
        return rows, (low, high if high > low else low + 1.0, colours, unit or "raw values")
    raise ValueError(f'scale must be "each", "row" or "all"; got {scale!r}.')


def _panels(
    panels: list[tuple[str, Any, np.ndarray | None]],
    columns: int,
    bar: Bar | None = None,
    opacity: float = 0.0,
    outline: Any = None,
    rows: list[str] | None = None,
) -> Figure:
    """Draws (title, image, map or None) panels, and the colour bar below them."""
    if rows is None:  # five panels at most four a line: three and two, not four and one
        lines = math.ceil(len(panels) / columns)
        columns = math.ceil(len(panels) / lines)
    else:
        lines = len(rows)
    height, width = _rgb(panels[0][1]).shape[:2]
    side = min(WIDTH / columns, 2.6, 5.8 / (lines * height / width))  # bounds the figure, its bytes
    gaps = 0.3 * (1 if rows else lines) + 0.05 * lines + (0.8 if bar else 0.0)
    across = max(columns * side, 3.4) + (0.3 if rows else 0.0)
    size = (round(across, 1), round(lines * side * height / width + gaps, 1))
    longest = max(len(title) for title, _, _ in panels)
    font = max(8.0, min(14.0, 72 * side / (0.66 * max(longest, 1))))  # neighbours must not touch
    with matplotlib.rc_context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
        figure = Figure(figsize=size, layout=engine)
        cells = figure.subplots(lines, columns, squeeze=False)
        for axes in cells.ravel():
            axes.set(xticks=[], yticks=[], frame_on=False)
        for axes, (title, picture, m) in zip(cells.ravel(), panels, strict=False):
            _draw(axes, _rgb(picture), m, bar, opacity)
            axes.set_title(title, fontsize=font)
            if outline is not None:
                axes.contour(_array(outline).squeeze(), [0.5], colors=["white"], linewidths=2.4)
                axes.contour(_array(outline).squeeze(), [0.5], colors=[INK], linewidths=1.0)
        for axes, name in zip(cells[:, 0], rows or [], strict=False):
            axes.set_ylabel(name)
        if bar:
            low, high, colours, label = bar
            shades = ScalarMappable(Normalize(low, high), colours)
            legend = figure.colorbar(shades, ax=cells, location="bottom", aspect=40, shrink=0.7, pad=0.03)
            legend.set_label(label, fontsize=min(14.0, 72 * size[0] / (0.58 * len(label))))
    return figure


def _draw(axes: Any, rgb: np.ndarray, m: np.ndarray | None, bar: Bar | None, opacity: float):
    frame = (-0.5, rgb.shape[1] - 0.5, rgb.shape[0] - 0.5, -0.5)
    if m is None or opacity > 0:
        axes.imshow(rgb if m is None else _grey(rgb).astype(np.uint8), interpolation="nearest")
    if m is not None and bar is not None:
        low, high, colours, _ = bar
        axes.imshow(m, cmap=colours, vmin=low, vmax=high, extent=frame, alpha=opacity or None, interpolation="nearest")


def _grey(rgb: np.ndarray) -> np.ndarray:
    return (rgb @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, axis=2)


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
