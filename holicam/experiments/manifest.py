"""What a run is, in its folder's manifest.json: what its rows depend on, and what joins them without the data.

`config`, `ids`, `preset`, `weights`, `layers`, `holicam` (the version) and `own` (the hash of each file of one's own
code, where the configuration names any) are what the rows depend on; the run's name, which stands in every row, is
their hash. What only changes speed (`batch_size`, `images_per_unit`, an explainer's `chunk`) is left out of it.
`given` is the configuration as it was asked for and `images` the list of ids, so that nothing but the folder is needed
to join the parts. `commit` is that of the checkout in which the run began, null where there is none. `code`, which
comes with the merged rows, says which code made them (`made_by`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..datasets import Dataset
from .config import RENAMED, Config, ConfigError, differences, from_table, renamed
from .naming import kinds_of, reduced, without
from .units import Unit, units_of

FILE = "manifest.json"
BESIDE = ("run", "given", "images", "commit", "code", "devices", "digits")  # not what rows depend on
SPEED = (*RENAMED, *RENAMED.values())  # of the configuration, of older versions and today's
NEEDED = {"config": dict, "ids": str, "weights": dict, "layers": dict}
Key = tuple[str, str, str, str, str]  # network, image, explainer, layer, metric


class ManifestError(ConfigError):
    """manifest.json is missing, broken, or not of the rows beside it; the message says what to do."""


def settings_that_count(config: Mapping[str, object]) -> dict[str, object]:
    """A configuration as a manifest has it, without what only changes speed."""
    kept = {key: value for key, value in config.items() if key not in SPEED}
    made = {label: [without(said), *rest] for label, (said, *rest) in kept.get("explainers", {}).items()}
    return kept | {"explainers": made}


def depended_on(manifest: Mapping[str, object]) -> dict[str, object]:
    """The part of a manifest that its rows depend on."""
    kept = {key: value for key, value in manifest.items() if key not in BESIDE}
    return kept | {"config": settings_that_count(kept["config"])}


def run_name(manifest: Mapping[str, object]) -> str:
    """Twelve hex digits, which stand in every row. Manifests of older versions, without a name, are hashed whole."""
    if "run" in manifest:
        return manifest["run"]
    return _hash({key: value for key, value in manifest.items() if key != "code"})


def complete(manifest: Mapping[str, object]) -> dict[str, object]:
    """The manifest with its run's name, as JSON has it."""
    plain = json.loads(json.dumps(manifest))
    return plain | {"run": _hash(depended_on(plain))}


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def changes(old: Mapping[str, object], new: Mapping[str, object], made: Mapping[str, object]) -> list[str]:
    """Where two runs differ in what their rows depend on: "config.protocol: 'rise' became 'ucag'".

    made: {label: explainer} of the new one, see `setting_changes`.
    """
    one, other = depended_on(old), depended_on(json.loads(json.dumps(new)))
    now = other.pop("own", {})
    was = one.pop("own", now)  # older versions did not look
    own = [f"your own {file} has changed" for file in sorted({*was, *now}) if was.get(file) != now.get(file)]
    return own + differences({"config": _alike(one["config"], other["config"], made), **_rest(one)}, other)


def setting_changes(old: Mapping[str, object], new: Config) -> list[str]:
    """Where a configuration differs from one that a manifest holds, in what rows depend on.

    Explainers are compared as today's classes know them: a field that the old ones had not, and that stands at
    its default, is no difference.
    """
    one, other = settings_that_count(old), settings_that_count(json.loads(json.dumps(new.plain())))
    return differences(_alike(one, other, new.made), other)


def _rest(manifest: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in manifest.items() if key != "config"}


def _alike(old: Mapping[str, object], new: Mapping[str, object], made: Mapping[str, object]) -> dict[str, object]:
    """The old settings, in which explainers that are today's are written as today's are."""
    kinds, found = kinds_of(made.values()), {}
    for label, (said, *rest) in old["explainers"].items():
        now = new["explainers"].get(label, [said])[0]
        found[label] = [now if now == said or reduced(said, kinds) == reduced(now, kinds) else said, *rest]
    return {**old, "explainers": found}


def read_manifest(out: Path) -> dict[str, object]:
    """The manifest of a run's folder, checked. Raises ManifestError; FileNotFoundError where there is no run."""
    path = Path(out) / FILE
    try:
        if not path.exists() and not any((path.parent / "parts").glob("*.parquet")):
            raise FileNotFoundError(
                f"{path.parent} holds no run: {FILE} and parts, which the command evaluate writes, are not there"
            )
        text = path.read_text(encoding="utf-8")  # where parts are there, another process may just have written it
    except UnicodeDecodeError:
        raise _broken(path, "it is no text") from None
    except OSError as error:
        if path.exists() or not any((path.parent / "parts").glob("*.parquet")):
            raise
        raise ManifestError(
            f"{path} is missing, which says what the parts beside it are: put it back, or move the "
            "parts away and evaluate the configuration again"
        ) from error
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise _broken(path, f"it is no JSON: {error}" if text.strip() else "it is empty") from None
    except RecursionError:
        raise _broken(path, "it is nested too deeply") from None
    if reason := _fault(manifest):
        raise _broken(path, reason)
    return manifest


def _broken(path: Path, reason: str) -> ManifestError:
    return ManifestError(
        f"{path} is not what the command evaluate wrote ({reason}): put a copy back, or move it and "
        "the parts away and evaluate the configuration again"
    )


def _fault(manifest: object) -> str:
    """What is wrong with a manifest, "" for nothing."""
    if not isinstance(manifest, dict):
        return "it is no table"
    for key, kind in NEEDED.items():
        if not isinstance(manifest.get(key), kind):
            return f"{key} is missing"
    for key, kind in {"networks": list, "metrics": list, "explainers": dict, "dataset": dict}.items():
        if not isinstance(manifest["config"].get(key), kind):
            return f"config.{key} is missing"
    for label, made in manifest["config"]["explainers"].items():
        if not (isinstance(made, list) and made and isinstance(made[0], str)):
            return f"config.explainers.{label} is no explainer"
    if "run" not in manifest:  # of an older version
        return ""
    if manifest["run"] != _hash(depended_on(manifest)):
        return f"its settings are not those of run {manifest['run']}"
    images = manifest.get("images")
    if not isinstance(images, list) or _split_hash(images) != manifest["ids"]:
        return "its images are not those of its ids"
    return "" if isinstance(manifest.get("given"), dict) else "given is missing"


def _split_hash(ids: list[str]) -> str:
    try:
        return Dataset("", (), tuple(map(str, ids)), None, None).split_hash
    except ValueError:  # one is there twice
        return ""


def images_per_unit(manifest: Mapping[str, object], default: int) -> int:
    """How many images a unit of a run has that has begun."""
    config = renamed(manifest["config"])
    return config.get("images_per_unit", default)


def config_of_run(manifest: Mapping[str, object], out: Path) -> Config:
    """The configuration that a run was started with. Raises ManifestError for a manifest of an older version."""
    if "given" not in manifest:
        raise ManifestError(
            f"{Path(out) / FILE} was written by an older version and does not list its images: name "
            f"the configuration instead of the folder, and the folder with --out {out}"
        )
    return from_table(renamed(manifest["given"]))


def units_of_run(manifest: Mapping[str, object], out: Path) -> list[Unit]:
    """All units of a run. Raises ManifestError."""
    return units_of(config_of_run(manifest, out), manifest["images"])


def keys_of_run(manifest: Mapping[str, object], out: Path) -> Iterator[Key]:
    """The key of every row that a run must have. Raises ManifestError."""
    config = config_of_run(manifest, out)
    for unit in units_of(config, manifest["images"]):
        yield from unit_keys(unit, config.made, manifest["layers"], config.metrics)


def unit_keys(
    unit: Unit, made: Mapping[str, object], layers: Mapping[str, list[str]], metrics: tuple[str, ...]
) -> Iterator[Key]:
    """The key of every row of a unit."""
    for label in unit.labels:
        for layer in layers_of(made[label], layers[unit.network]):
            for image in unit.ids:
                for metric in metrics:
                    yield unit.network, image, label, layer, metric


def layers_of(explainer: object, layers: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """What stands in the column `layer`: names, or "" for a map that is not of one layer."""
    return tuple(layers) if getattr(explainer, "takes", "layer") == "layer" else ("",)
