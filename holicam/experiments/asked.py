"""Which run a command means: a configuration or a folder, by what was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..core.own_code import look_in
from ..models.called import called
from .config import Config, ConfigError, from_toml
from .manifest import Key, config_of_run, read_manifest, setting_changes
from .paper_tables import preset
from .plan import Plan


def is_run(folder: Path) -> bool:
    """Whether a run lies in a folder."""
    return any((folder / name).exists() for name in ("manifest.json", "parts", "rows.parquet"))


def folder_of(config: str, out: Path | None) -> Path:
    """Where the parts go: --out, the run's folder where it was named, else results/NAME."""
    if out is not None:
        return out
    return Path(config) if is_run(Path(config)) else Path("results") / Path(config).stem


def expected(folder: Path, manifest: Mapping[str, object], chosen: Config | None) -> Iterator[Key] | None:
    """The keys that a run must have, None where its manifest knows.

    Raises ConfigError where `chosen` is another run.
    """
    if chosen is not None and (changed := setting_changes(manifest["config"], chosen)):
        raise ConfigError(
            f"{folder} holds the rows of another run ({'; '.join(changed)}): name its own "
            f"configuration, or the folder alone: `{called('merge', folder)}`"
        )
    return Plan.of(chosen).keys() if chosen is not None and "given" not in manifest else None


def check_asked(name: str, toyland: bool, root: Path | None) -> None:
    """Raise ConfigError for an option of presets beside a file or a run, which say their data set themselves."""
    given = [option for option, said in (("--toyland", toyland), ("--root", root is not None)) if said]
    if given and (name.endswith(".toml") or is_run(Path(name))):
        raise ConfigError(
            f"{' and '.join(given)} {'are' if given[1:] else 'is'} for presets, and {name} says its data set itself: "
            "leave it out, or write the data set into a configuration of its own"
        )


def config_of(
    name: str, toyland: bool, images: int, root: Path | None, load: list[str] | None = None, batch_size: int = 0
) -> Config:
    """The configuration that a file, a preset's name or the folder of a run stands for. Raises ConfigError."""
    check_asked(name, toyland, root)
    networks, code = loaded(load or [])
    if name.endswith(".toml"):
        config = from_toml(Path(name))
    elif is_run(Path(name)):
        config = config_of_run(read_manifest(Path(name)), Path(name))
    else:
        config = preset(name, toyland=toyland, root=root)
    config = replace(config, batch_size=batch_size) if batch_size else config
    if load:
        config = replace(config, loaders={**config.loaders, **networks}, load=(*config.load, *code))
    if images and config.dataset["name"] == "toyland":
        return replace(config, dataset={**config.dataset, "n": images})
    return replace(config, n=images) if images else config


def loaded(load: list[str]) -> tuple[dict[str, str], list[str]]:
    """What --load says: ({network: "module:function"}, files and modules of one's own, which are imported now).

    Raises OwnCodeError.
    """
    named = [entry for entry in load if "=" in entry and not (entry.endswith(".py") or Path(entry).exists())]
    networks = dict(entry.split("=", 1) for entry in named)
    code = [str(Path(entry).resolve()) if entry.endswith(".py") else entry for entry in load if entry not in named]
    for said in code:
        look_in(said)
    return networks, code
