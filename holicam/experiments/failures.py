"""What failed in a run: which image, network and explainer, and why; one file a unit, until the unit succeeds.

failures/UNIT.json      {"run": ..., "failures": [{"unit", "network", "image", "explainer", "reason"}, ...]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .manifest import run_name
from .units import Unit

SHOWN = 8


@dataclass(frozen=True)
class Failure:
    """One image that one explainer, or its scores, failed on."""

    unit: str
    network: str
    image: str
    explainer: str
    reason: str


class FailedError(RuntimeError):
    """A run that went to its end, with failures on the way. `failures` lists them."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__("; ".join(summary(failures)))
        self.failures = tuple(failures)


def record_path(out: Path, unit_name: str) -> Path:
    """Where the failures of a unit are recorded."""
    return out / "failures" / f"{unit_name}.json"


def record(manifest: Mapping[str, object], found: Sequence[Failure]) -> bytes:
    """The file of a unit's failures."""
    said = {"run": run_name(manifest), "failures": [asdict(one) for one in found]}
    return (json.dumps(said, indent=1) + "\n").encode()


def recorded(out: Path, manifest: Mapping[str, object]) -> list[Failure]:
    """The failures that are recorded in a run's folder; files that are not whole, or of another run, are left out."""
    found = []
    for path in sorted((Path(out) / "failures").glob("*.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            if said["run"] == run_name(manifest):
                found += [Failure(**one) for one in said["failures"]]
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def of_unit(unit: Unit, image: str, label: str, reason: str) -> Failure:
    """A failure inside a unit."""
    return Failure(unit.name, unit.network, image, label, reason)


def summary(failures: Iterable[Failure], shown: int = SHOWN) -> list[str]:
    """One line for each image and reason, the first `shown` of them, and how many more."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for one in failures:
        lines.setdefault((one.unit, one.image, one.network, one.reason), []).append(one.explainer)
    said = [
        f"{', '.join(explainers)} failed on image {image} with {network} (unit {unit}): {reason}"
        for (unit, image, network, reason), explainers in lines.items()
    ]
    more = len(said) - shown
    return said if more <= 1 else [*said[:shown], f"and {more} more such images"]
