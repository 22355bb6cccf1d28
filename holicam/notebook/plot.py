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
from .panels import COLUMNS, WIDTH, Line, Panel, blocks, flow, measured, place

with extra("A picture"):
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

EVIDENCE, SIGNED = "magma", "RdBu_r"
INK, CARD, GRID = "#23252b", "#ffffff", "#d9d9d4"
LINES = ("#3b4cc0", "#c2410c", "#0f766e", "#7c3aed", "#a16207", "#475569")
OPACITY = 0.85  # of a map over its image, where evidence is strongest
SMOOTH = 96  # pixels: a photograph is enlarged smoothly, a drawing of a few cells is not
KEY, UNDER = 0.06, 0.6  # the key: inches high, and the grey below its colours

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
    panels = [Panel(title, rgb), *(Panel(k, rgb, m) for k, m in zip(maps, drawn[0], strict=True))]
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
        name: ([] if once else [Panel("image", rgb)]) + [Panel(k, rgb, m) for k, m in zip(columns, row, strict=True)]
        for name, rgb, row in zip(rows, images, drawn, strict=True)
    }
    lines = blocks(table, Panel("image", images[0]) if once else None)
    return _panels(lines, bar, _opacity(overlay, scale), outline)


def images(pictures: Mapping[str, Any], *, columns: int = COLUMNS) -> Figure:
    """Pictures side by side, each under its name: {name: uint8 RGB (H, W, 3)}.

    columns: pictures a row; where more than three, a row of them is broken into lines, and the next row starts anew.
    """
    _filled(pictures, "pictures", "uint8 RGB image (H, W, 3)")
    panels = [Panel(name, _rgb(picture)) for name, picture in pictures.items()]
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
        return rows, (low, high if high > low else low + 1.0, colours, unit or "raw values")
    raise ValueError(f'scale must be "each", "row" or "all"; got {scale!r}.')


def _opacity(overlay: float | None, scale: str) -> float:
    if overlay is None:
        return 0.0 if scale == "all" else OPACITY
    if not 0 <= overlay <= 1:
        raise ValueError(f"overlay must be an opacity from 0 to 1; got {overlay!r}.")
    return float(overlay)


def _panels(lines: list[Line], bar: Bar | None = None, opacity: float = 0.0, outline: Any = None) -> Figure:
    """Draws the panels where `place` puts them, and the key below."""
    with matplotlib.rc_context(STYLE):
        placed = place(lines, 0.32 if bar else 0.0)
        for panel, axes in placed.axes:
            _draw(axes, panel.image, panel.map, bar, opacity)
            if outline is not None:
                region = _array(outline).squeeze()
                axes.contour(region, [0.5], colors=[INK], linewidths=1.6, alpha=0.7)
                axes.contour(region, [0.5], colors=["white"], linewidths=0.8)
        if bar:
            _key(placed.figure, placed.key, bar, opacity)
    return placed.figure


def _draw(axes: Any, rgb: np.ndarray, m: np.ndarray | None, bar: Bar | None, opacity: float) -> None:
    frame = (-0.5, rgb.shape[1] - 0.5, rgb.shape[0] - 0.5, -0.5)
    smooth = "hanning" if min(rgb.shape[:2]) >= SMOOTH else "nearest"
    if m is None or opacity > 0:
        axes.imshow(rgb, interpolation=smooth)
    if m is None or bar is None:
        return
    low, high, colours, _ = bar
    if opacity > 0:  # strong evidence lies over grey: its colours are the map's
        strength = cover(m, low, high, colours == SIGNED)
        seen = _enlarged(strength, rgb.shape[:2])
        grey = np.dstack([_grey(rgb), np.round(255 * seen)]).astype(np.uint8)
        axes.imshow(grey, interpolation=smooth)
        alpha = opacity * strength
    else:
        alpha = None
    axes.imshow(m, cmap=colours, vmin=low, vmax=high, extent=frame, alpha=alpha, interpolation="nearest")


def cover(m: np.ndarray, low: float, high: float, signed: bool) -> np.ndarray:
    """How much of the image a map hides, 0 to 1: nothing without evidence, all of it from half the scale on."""
    relative = np.abs(m) / max(-low, high) if signed else (m - low) / (high - low)
    return np.clip(2 * relative, 0, 1)


def _enlarged(m: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cell by cell to the image's pixels, as `imshow` draws it."""
    rows, columns = (((np.arange(n) + 0.5) * k / n).astype(int) for n, k in zip(size, m.shape, strict=True))
    return m[rows[:, None], columns[None]]


def _key(figure: Figure, room: tuple[float, float, float], bar: Bar, opacity: float) -> None:
    """A thin bar with its ends in numbers, and in words what they are; its axes are the figure's last."""
    low, high, colours, label = bar
    width, height = figure.get_size_inches()
    left, bottom, across = room
    small = 10.0
    ends = [f"{value:.3g}".replace("-", "−") for value in (low, high)]
    before, after = (measured(text, small) + 0.07 for text in ends)
    long = min(1.9, across - before - after)
    said = measured(label, small)
    beside = left + before + long + after + 0.12 + said <= width
    if not beside:
        small = max(7.0, min(small, small * across / said))
    level = bottom + 0.1 if beside else bottom + 0.22
    at = ((left + before) / width, level / height, long / width, KEY / height)
    axes = figure.add_axes(at, xlim=(low, high), ylim=(0, 1), xticks=[], yticks=[], frame_on=False)
    values = np.linspace(low, high, 256)
    shown = matplotlib.colormaps[colours](np.linspace(0, 1, 256))[:, :3]
    if opacity > 0:
        share = opacity * cover(values, low, high, colours == SIGNED)[:, None]
        shown = UNDER + share * (shown - UNDER)
    axes.imshow(np.round(255 * shown).astype(np.uint8)[None], extent=(low, high, 0, 1), aspect="auto")
    for x, text, side in ((-0.05 / long, ends[0], "right"), (1 + 0.05 / long, ends[1], "left")):
        axes.text(x, 0.4, text, transform=axes.transAxes, ha=side, va="center", fontsize=10.0)
    if beside:
        axes.xaxis.set_label_coords(1 + (after + 0.12) / long, 0.4)
        axes.set_xlabel(label, fontsize=small, ha="left", va="center")
    else:
        axes.xaxis.set_label_coords(-before / long, -0.08 / KEY)
        axes.set_xlabel(label, fontsize=small, ha="left", va="top")


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
