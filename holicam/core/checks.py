"""Questions about values, asked of the device once a call.

"Are the logits finite?" is answered on the device, and reading the answer waits for all that was
asked of it before. An explainer that runs a network eight times would wait eight times. Inside
`together` answers are gathered and read once, at the end, before anything is returned; elsewhere
they are read at once. Where the call fails on the way, they are read first: NaN is the better reason.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

import torch
from torch import Tensor

Text = str | Callable[[], str]
Maps = TypeVar("Maps")
_ON_THE_WAY = (__name__.partition(".")[0], "contextlib", "torch")  # between a caller's line and a question


@dataclass(frozen=True, eq=False)
class _Question:
    wrong: Tensor  # one bool, on its device
    text: Text
    category: type[Warning] | None  # None: an error
    each_call: bool = False  # whether a warning is about these images, and not about the network


_asked: ContextVar[list[_Question] | None] = ContextVar("asked", default=None)  # each thread has its own


@contextmanager
def together() -> Iterator[None]:
    """Read the answers to all questions once, at the end. Inside another `together` that one reads."""
    if _asked.get() is not None:
        yield
        return
    questions: list[_Question] = []
    token = _asked.set(questions)
    try:
        yield
    except Exception:
        with suppress(RuntimeError):  # a device that failed does not answer
            _read([q for q in questions if q.category is None])
        raise
    finally:
        _asked.reset(token)
    _read(questions)


@contextmanager
def apart() -> Iterator[None]:
    """For what a caller hands in, such as a function that explains: each of its calls reads its own answers."""
    token = _asked.set(None)
    try:
        yield
    finally:
        _asked.reset(token)


def look() -> None:
    """Read what has been asked so far: before work so long that an error should not wait for its end."""
    questions = _asked.get() or []
    waiting = list(questions)
    questions.clear()
    _read(waiting)


def expect_finite(values: Tensor, text: Text) -> None:
    """ValueError with this text where `values` hold NaN or infinite values."""
    _ask(_Question(values.isfinite().all().logical_not(), text, None))


def finite_maps(found: Maps) -> Maps:
    """What an explainer returns, as it is: maps, {layer: maps}, or objects with a `map`. ValueError for NaN in it."""
    for maps in found.values() if isinstance(found, Mapping) else (found,):
        maps = getattr(maps, "map", maps)
        if isinstance(maps, Tensor):
            expect_finite(
                maps,
                "the map holds NaN or infinite values, though the score is finite: activations or "
                "gradients are too large for their number format, so check that the images are "
                "normalised, or compute in float64",
            )
    return found


def refuse_where(wrong: Tensor, text: Text) -> None:
    """ValueError with this text where any of `wrong` (bool) is true."""
    _ask(_Question(wrong.any(), text, None))


def warn_where(wrong: Tensor, text: Text, category: type[Warning], *, each_call: bool = False) -> None:
    """A warning with this text where any of `wrong` (bool) is true.

    each_call: it is about the images of this call, and Python's own filter must not keep it back for the next ones.
    """
    _ask(_Question(wrong.any(), text, category, each_call))


def _ask(question: _Question) -> None:
    questions = _asked.get()
    if questions is None:
        _read([question])
    else:
        questions.append(question)


def _read(questions: list[_Question]) -> None:
    """Errors before warnings, each in the order asked; equal warnings once."""
    if not questions:
        return
    place = questions[0].wrong.device
    answers = torch.stack([q.wrong.detach().to(place) for q in questions]).tolist()
    found = [q for q, wrong in zip(questions, answers, strict=True) if wrong]
    for question in found:
        if question.category is None:
            raise ValueError(question.text() if callable(question.text) else question.text)
    said = [(q.text() if callable(q.text) else q.text, q.category, q.each_call) for q in found]
    for text, category, each_call in dict.fromkeys(said):
        if each_call:
            _warn_caller(text, category)
        else:  # The fixed stack level makes Python's own filter warn only once.
            warnings.warn(text, category, stacklevel=2)


def _warn_caller(text: str, category: type[Warning] | None) -> None:
    """A warning at the line that called the package. Nothing remembers it, so the next call is warned again."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _ON_THE_WAY:
        frame = frame.f_back
    place = frame or sys._getframe()
    name = place.f_globals.get("__name__", "")
    warnings.warn_explicit(text, category, place.f_code.co_filename, place.f_lineno, name, registry={})  # type: ignore[arg-type]
