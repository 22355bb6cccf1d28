"""The parts of a run put together: which files are sound, which rows are missing, and what ends the trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.called import called
from ..models.extras import extra
from .failures import Failure, recorded, summary
from .manifest import Key
from .part_file import KEY, BrokenPartError, foreign, keys_of, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 5
SKIPPED = "skipped: "  # begins the note of a row of an image that could not be read


class IncompleteError(ValueError):
    """The rows of a run are not all there, or some are there twice; the message counts them and says what to do."""


@dataclass(frozen=True, eq=False)
class Joined:
    """All rows, sorted by their key; about: what was left out, for who reads rows.parquet; parts: the files."""

    table: pa.Table
    about: Mapping[str, object]
    parts: tuple[Path, ...]


@dataclass(eq=False)
class _Files:
    """The parts of a folder: sound ones with their keys, the others with what is wrong with them."""

    tables: dict[Path, pa.Table] = field(default_factory=dict)
    wrong: dict[Path, str] = field(default_factory=dict)
    found: set[Key] = field(default_factory=set)
    twice: int = 0
    stray: int = 0


def joined(
    out: Path,
    manifest: Mapping[str, object],
    wanted: set[Key],
    *,
    partial: bool = False,
    move: Callable[[Path], Path] | None = None,
) -> Joined:
    """Read all parts of a folder and check them, see `parts.merge`; move: takes bad files out of the way.

    Raises IncompleteError.
    """
    with extra("A table of rows"):
        import pyarrow as pa

    files = _read(out, manifest, wanted)
    if move is not None:
        for path in files.wrong:
            move(path)
        files.wrong.clear()
        files.twice = files.stray = 0
    missing = wanted - files.found
    failed = recorded(out, manifest)
    why = {(one.network, one.image, one.explainer) for one in failed}
    explained = {key for key in missing if key[:3] in why}
    if files.wrong or (missing - explained if partial else missing):
        raise IncompleteError(_told(out, files, wanted, missing, explained, failed))
    if not files.tables:
        raise IncompleteError(f"none of the {len(wanted)} rows of {out} is there: every one of them failed")
    table = pa.concat_tables(files.tables.values()).sort_by([(name, "ascending") for name in KEY])
    nothing_read(out, table)
    about = {"missing": len(explained), "why": summary(failed, 3)} if explained else {}
    return Joined(table, about, tuple(files.tables))


def _read(out: Path, manifest: Mapping[str, object], wanted: set[Key]) -> _Files:
    """All parts; of two files with the same rows the one that is not named as a unit is wrong."""
    files = _Files()
    owner: dict[Key, Path] = {}
    for path in sorted((out / "parts").glob("*.parquet"), key=lambda path: ("--" not in path.stem, path.name)):
        try:
            table = read_rows(path)
        except BrokenPartError as error:
            files.wrong[path] = str(error)
            continue
        if reason := foreign(table, manifest):
            files.wrong[path] = reason
            continue
        keys = keys_of(table)
        stray = [key for key in keys if key not in wanted]
        again = [key for key in keys if key in owner] if len(set(keys)) == len(keys) else keys
        files.stray += len(stray)
        files.twice += len(set(again))
        if stray:
            files.wrong[path] = f"it has {len(stray)} rows that belong to no unit, the first: {', '.join(stray[0])}"
        elif again:
            files.wrong[path] = f"it repeats {len(set(again))} rows of {owner.get(again[0], path).name}"
        else:
            owner.update(dict.fromkeys(keys, path))
            files.tables[path] = table
    files.found = set(owner)
    return files


def _told(
    out: Path, files: _Files, wanted: set[Key], missing: set[Key], explained: set[Key], failed: list[Failure]
) -> str:
    """What is wrong with the parts, and the commands that end it."""
    words = [
        f"{len(missing)} of {len(wanted)} rows are missing, {files.twice} are there twice, "
        f"{files.stray} belong to no unit"
    ]
    unknown = sorted(missing - explained)
    if unknown:
        words[0] += f"; the first that is missing: {', '.join(unknown[0])}"
    if explained:
        words.append(f"{len(explained)} are missing because of failures: {'; '.join(summary(failed, SHOWN))}")
    if files.wrong:
        said = [f"{path} ({reason})" for path, reason in [*files.wrong.items()][:SHOWN]]
        more = f" and {len(files.wrong) - SHOWN} more" if len(files.wrong) > SHOWN else ""
        words.append(
            f"bad files: {'; '.join(said)}{more}: delete them, or let `{called('merge', out, '--repair')}` "
            f"move them to {out / 'aside'}"
        )
    elif unknown:
        words.append(f"`{called('evaluate', out)}` computes what is missing")
    if explained:
        words.append(
            f"`{called('evaluate', out)}` tries what failed again, `{called('merge', out, '--partial')}` leaves it out"
        )
    return ". ".join(word[0].upper() + word[1:] if i else word for i, word in enumerate(words))


def skipped_in(table: pa.Table) -> dict[str, str]:
    """{image: reason} of the images that could not be read."""
    import pyarrow.compute as pc

    bad = table.select(["image", "note"]).filter(pc.starts_with(table["note"], SKIPPED))
    return {
        image: note.removeprefix(SKIPPED)
        for image, note in zip(bad["image"].to_pylist(), bad["note"].to_pylist(), strict=True)
    }


def counted(images: Iterable[str], skipped: Mapping[str, str], pairs: bool = False) -> str:
    """ "12 images, 1 of which could not be read, the first: a (it ends early)"."""
    count, bad = len(set(images)), len(skipped)
    said = f"{count} {'pairs of image and class' if pairs else 'images' if count != 1 else 'image'}"
    if bad:
        first = min(skipped)
        said += f", {bad} of which could not be read, the first: {first} ({skipped[first]})"
    return said


def nothing_read(out: Path, table: pa.Table) -> None:
    """Raise IncompleteError where no image of a run could be read."""
    skipped = skipped_in(table)
    if skipped and len(skipped) == len(table["image"].unique()):
        first = min(skipped)
        raise IncompleteError(
            f"{out}: none of the {len(skipped)} images could be read, the first: {first} ({skipped[first]})"
        )
