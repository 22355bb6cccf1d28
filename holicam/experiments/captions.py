"""The picture that `holicam explain` writes: a photograph, its maps, and in words all that they depend on."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping

from torch import Tensor

from ..notebook import plot
from .map_files import NAME

LETTER = 0.09  # inches, of the caption's font
LINE = 0.18
MARGIN = 0.1


def draw(rgb: Tensor, maps: Mapping[str, Tensor], about: Mapping[str, str], explainer: str, toy: bool) -> bytes:
    """A PNG file: the photograph (h, w, 3) as the network saw it, and maps (h, w) over it.

    about: network, target, probability and the key of the result; toy: a network that knows drawn things only.
    """
    signed = any(float(m.min()) < -1e-6 * float(m.max().abs()) for m in maps.values())
    where = " and ".join(maps) if about["layers"] and len(maps) <= 4 else ""
    named = {name if about["layers"] and len(maps) > 1 else explainer: m for name, m in maps.items()}
    figure = plot.maps(rgb, named, signed=signed)
    percent = f"{100 * float(about['probability']):.1f} %"
    words = [f"{about['network']}: {about['target']} {percent}", f"{explainer}{f' at {where}' if where else ''}"]
    if toy:
        words.append("This network knows only its ten drawn classes.")
    width, height = figure.get_size_inches()
    lines = [line for part in words for line in textwrap.wrap(part, max(20, int(width / LETTER)))]
    taller = height + LINE * len(lines) + MARGIN
    figure.set_size_inches(width, taller)
    for axes in figure.axes:
        box = axes.get_position(original=True)  # not as it is squeezed into the new height
        axes.set_position((box.x0, box.y0 * height / taller, box.width, box.height * height / taller))
    at, words_of = 1 - MARGIN / 2 / taller, "\n".join(lines)
    figure.suptitle(words_of, y=at, va="top", fontsize=10, color=plot.INK, parse_math=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=200, metadata={NAME: about[NAME], "Description": " / ".join(words)})
    return file.getvalue()
