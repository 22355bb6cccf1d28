"""A knob to turn: one picture that follows sliders where a kernel runs, and its first setting elsewhere."""

from __future__ import annotations

import contextlib
import html
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..models.extras import extra
from . import stored
from .live import live


def turn(draw: Callable[..., Any], *, start: Mapping[str, Any] | None = None, **knobs: Sequence[Any]) -> Any:
    """Let a reader turn the settings of a drawing.

        hc.turn(lambda eps: hc.plot.maps(rgb, {"PGE": pge(A, G, eps)}), eps=[1e-12, 1e-8, 1e-6, 1e-4])

    Args:
        draw: takes one value of each knob by name and returns a figure; it may print.
        start: {knob: value} seen first and stored for the site; by default the first value of each.
        knobs: the values of each setting, in the order of the slider.

    Returns the figure at `start` where outputs are stored (`live.live`), else an ipywidgets box: a slider for each
    knob, the picture, what was printed, a sign while it is being drawn, and a line for what went wrong. A drawing
    is made once for each setting. Raises ValueError where there is no knob, a knob without values, or a start that
    is none of them; TypeError where `draw` is no function.
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function of the knobs that returns a figure; got {type(draw).__name__}.")
    if not knobs:
        raise ValueError("give at least one knob: a name and its values, such as eps=[1e-8, 1e-6].")
    values = {name: list(some) for name, some in knobs.items()}
    for name, some in values.items():
        if not some:
            raise ValueError(f"knob {name!r} has no values.")
    first = {name: some[0] for name, some in values.items()} | dict(start or {})
    for name, value in first.items():
        if name not in values:
            raise ValueError(f"start names {name!r}, which is no knob; these are {', '.join(values)}.")
        if value not in values[name]:
            raise ValueError(f"start: {name}={value!r} is none of the knob's values {values[name]!r}.")
    return panel(draw, values, first) if live() else draw(**first)


def panel(draw: Callable[..., Any], values: Mapping[str, list], first: Mapping[str, Any]) -> Any:
    """The box of widgets; `box.knobs`, `box.picture`, `box.said`, `box.busy` and `box.trouble` are its parts."""
    with extra("A knob"):
        import ipywidgets as widgets

    box, made = widgets.VBox(), {}
    box.knobs = {}
    for name, some in values.items():
        options = [(shown(value), place) for place, value in enumerate(some)]  # by place: values need not be hashable
        knob = widgets.SelectionSlider(
            options=options, value=some.index(first[name]), description=name, continuous_update=False
        )
        knob.style.description_width = "initial"
        box.knobs[name] = knob
    box.picture, box.said = widgets.Image(format="jpeg"), widgets.HTML()
    box.busy, box.trouble = widgets.HTML(), widgets.HTML()
    box.picture.layout.max_width, box.picture.layout.height = "100%", "auto"
    box.picture.layout.align_self = "flex-start"  # never enlarged

    def follow(_change: Any = None) -> None:
        places = tuple(knob.value for knob in box.knobs.values())
        box.busy.value = "<em>drawing …</em>"
        try:
            if places not in made:
                chosen = {name: values[name][place] for name, place in zip(values, places, strict=True)}
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    figure = draw(**chosen)
                made[places] = *jpeg(figure), printed.getvalue()
            box.picture.value, box.picture.width, text = made[places]
            box.said.value = f"<pre>{html.escape(text)}</pre>" if text else ""
            box.trouble.value = ""
        except Exception as error:  # whatever goes wrong belongs before the reader's eyes; a notebook would lose it
            said = html.escape(f"{type(error).__name__}: {error}".splitlines()[0])
            box.trouble.value = f'<p role="alert">This setting could not be drawn. {said}</p>'
        finally:
            box.busy.value = ""

    for knob in box.knobs.values():
        knob.observe(follow, "value")
    box.children = [*box.knobs.values(), box.busy, box.picture, box.said, box.trouble]
    follow()
    return box


def shown(value: Any) -> str:
    """A value on a slider: short, and the same number."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def jpeg(figure: Any) -> tuple[bytes, str]:
    """A figure as the notebook would store it, and the pixels that it is wide on a page."""
    if not hasattr(figure, "savefig"):
        raise TypeError(f"draw must return a figure; it returned {type(figure).__name__}")
    return stored.jpeg(figure), str(stored.width(figure))
