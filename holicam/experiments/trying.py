"""The rows of a unit whatever fails in it: what can be had, and which image and explainer failed, and why.

A unit is computed as a whole. Where that fails, each explainer is tried alone, one that fails image by image, and an
image whose maps cannot be scored metric by metric, so that a bad image, explainer or metric costs its own rows and no
others.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

import torch

from ..core.memory import no_memory
from ..core.own_code import own_line
from ..models import LayerNotFoundError
from .config import Config, ConfigError
from .failures import Failure, of_unit
from .rows import rows
from .scoring import score
from .work import Work

# A user mends these once, and every unit would fail alike.
FATAL = (ConfigError, ImportError, LayerNotFoundError)
LONGEST = 300


class DeviceLostError(RuntimeError):
    """The device cannot compute any more; the message says why."""


@dataclass(frozen=True)
class Wrong:
    """Why a piece of work failed, and whether that was while its maps were scored."""

    said: str
    scoring: bool


def attempt(work: Work, say: Callable[[str], None]) -> tuple[list[dict[str, object]], list[Failure]]:
    """(the rows that could be had, what failed); see `rows.rows`. say: hears of what could be mended on the way.

    Raises what every unit would raise (`FATAL`), DeviceLostError.
    """
    found, wrong = _tried(work)
    if wrong is None:
        return found, []
    found, failed = _in_pieces(work, wrong)
    if not failed:
        say(f"unit {work.unit.name}: {wrong.said}. In smaller pieces it worked")
    return found, failed


def _in_pieces(work: Work, wrong: Wrong) -> tuple[list[dict[str, object]], list[Failure]]:
    """What can be had of work that failed as a whole, and what failed in its smallest pieces."""
    unit, pieces = work.unit, _pieces(work, wrong)
    if not pieces:
        return [], [of_unit(unit, unit.ids[0], unit.labels[0], wrong.said)]
    found, failed = [], []
    for piece in pieces:
        some, error = _tried(piece)
        some, lost = (some, []) if error is None else _in_pieces(piece, error)
        found, failed = found + some, failed + lost
    if len(unit.labels) == len(unit.ids) == 1 and found:  # metrics of one map: which of them failed
        lost = [name for name in work.config.metrics if name not in {row["metric"] for row in found}]
        failed = [replace(one, reason=f"{name}: {one.reason}") for name, one in zip(lost, failed, strict=True)]
    elif len(unit.labels) == len(unit.ids) == 1:
        failed = failed[:1]
    return found, failed


def _pieces(work: Work, wrong: Wrong) -> list[Work]:
    """Its explainers, else its images, else its metrics where one of them failed; nothing where it has one of each."""
    unit, metrics = work.unit, work.config.metrics
    if len(unit.labels) > 1:
        return [replace(work, unit=replace(unit, labels=(label,))) for label in unit.labels]
    if len(unit.ids) > 1:
        return [replace(work, unit=replace(unit, ids=(image,))) for image in unit.ids]
    if wrong.scoring and len(metrics) > 1:
        return [replace(work, config=_with_one(work.config, metric)) for metric in metrics]
    return []


def _with_one(config: Config, metric: str) -> Config:
    """A configuration that has been checked, with one of its metrics."""
    found = copy(config)
    object.__setattr__(found, "metrics", (metric,))
    return found


def _tried(work: Work) -> tuple[list[dict[str, object]], Wrong | None]:
    """The rows, or none and what is wrong."""
    try:
        return list(rows(work)), None
    except FATAL:
        raise
    except (Exception, SystemExit) as error:  # explainers and networks may be anybody's
        where = own_line(error)
        said = reason(error, work.config.batch_size) + (f" ({where})" if where else "")
        wrong = Wrong(said, any(frame.f_code is score.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)))
    if work.device.startswith("cuda"):
        _check_device(work.device, wrong.said)
    return [], wrong


def reason(error: BaseException, batch: int) -> str:
    """Why something failed, on one line."""
    words = " ".join(str(error).split())
    if no_memory(error):
        return f"out of memory; go on with a smaller --batch-size than {batch} ({words[:LONGEST]})"
    named = isinstance(error, ValueError | LookupError) and words
    return words[:LONGEST] if named else f"{type(error).__name__}: {words}"[:LONGEST].removesuffix(": ")


def _check_device(where: str, said: str) -> None:
    """Free what a failure left. A GPU that has met an assertion answers nothing any more."""
    gc.collect()
    try:
        torch.cuda.empty_cache()
        torch.cuda.synchronize(where)
    except RuntimeError as error:
        raise DeviceLostError(
            f"{where} cannot compute any more ({said}; {' '.join(str(error).split())[:LONGEST]}): "
            "start again, which goes on where this run stopped"
        ) from None
