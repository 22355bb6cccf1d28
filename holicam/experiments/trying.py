"""The rows of a unit whatever fails in it: what can be had, and which image and explainer failed, and why.

A unit is computed as a whole. Where that fails, each explainer is tried alone, and one that fails image
by image, so that one bad image or one bad explainer costs its own rows and no others.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace

import torch

from ..core.memory import no_memory
from ..core.own_code import own_line
from ..models import LayerNotFoundError
from .config import ConfigError
from .failures import Failure, of_unit
from .rows import rows
from .work import Work

# A user mends these once, and every unit would fail alike.
FATAL = (ConfigError, ImportError, LayerNotFoundError)
LONGEST = 300


class DeviceLostError(RuntimeError):
    """The device cannot compute any more; the message says why."""


def attempt(work: Work, say: Callable[[str], None]) -> tuple[list[dict[str, object]], list[Failure]]:
    """(the rows that could be had, what failed); see `rows.rows`. say: hears of what could be mended on the way.

    Raises what every unit would raise (`FATAL`), DeviceLostError.
    """
    unit = work.unit
    found, error = _tried(work)
    if not error:
        return found, []
    first, failed = error, []
    for label in unit.labels:
        one = replace(work, unit=replace(unit, labels=(label,)))
        mine, error = _tried(one) if len(unit.labels) > 1 else ([], first)
        if error and len(unit.ids) > 1:
            for image in unit.ids:
                some, error = _tried(replace(one, unit=replace(one.unit, ids=(image,))))
                mine += some
                failed += [of_unit(unit, image, label, error)] if error else []
        elif error:
            failed.append(of_unit(unit, unit.ids[0], label, error))
        found += mine
    if not failed:
        say(f"unit {unit.name}: {first}. In smaller pieces it worked")
    return found, failed


def _tried(work: Work) -> tuple[list[dict[str, object]], str]:
    """The rows, or none and the reason."""
    try:
        return list(rows(work)), ""
    except FATAL:
        raise
    except (Exception, SystemExit) as error:  # explainers and networks may be anybody's
        where = own_line(error)
        said = reason(error, work.config.batch_size) + (f" ({where})" if where else "")
    if work.device.startswith("cuda"):
        _check_device(work.device, said)
    return [], said


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
