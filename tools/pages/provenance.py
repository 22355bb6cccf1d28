"""Write book/provenance.md: where every output, network and stored row comes from."""

import hashlib
import json
from pathlib import Path

from holicam.models.card import MARKS
from tools.chapters import by_number
from tools.ipynb import BOOK, ROOT, run_of
from tools.pages import written

DATA, PAGE = ROOT / "data", BOOK / "provenance.md"
# Tables of data/results that no run of the runner made, {file: the program}.
WRITTEN_BY = {
    "chapter05-scales.csv": "`python benchmarks/fast.py --photos FOLDER`, from `benchmarks/results/fast-rows.jsonl`",
    "enlarged.csv": "`python -m tools.enlarged --photos FOLDER`",
}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def runs() -> dict[int, dict]:
    """Number -> what a chapter says of its last run; chapters that were never run are left out."""
    said = {n: run_of(c.notebook) for n, c in by_number().items()}
    return {n: run for n, run in said.items() if "seconds" in run}


def versions() -> list[str]:
    """Versions that all chapters share, and those of chapters that differ."""
    said = {n: run["versions"] for n, run in runs().items()}
    names = list(dict.fromkeys(k for v in said.values() for k in v))
    out = ["| package | version |", "|---|---|"]
    for name in names:
        found: dict[str, list[int]] = {}
        for n, v in said.items():
            found.setdefault(v.get(name, "–"), []).append(n)
        most = max(found, key=lambda k: len(found[k]))
        rest = [f"{v} in chapter {', '.join(map(str, ns))}" for v, ns in found.items() if v != most]
        out.append(f"| {name} | {'; '.join([most, *rest])} |")
    return out


def chapters() -> list[str]:
    """A row a chapter."""
    out = ["| chapter | device | seconds | digest |", "|---|---|---|---|"]
    book, total = by_number(), 0.0
    for number, run in runs().items():
        total += run["seconds"]
        out.append(
            f"| {number}, {{ref}}`{book[number].label}` | {run['device']} | {run['seconds']:.0f} "
            f"| `{run['digest'][:12]}` |"
        )
    return [*out, f"| together | | {total:.0f} | |"]


def shares(measured: dict) -> str:
    """A card's accuracies, in words."""
    said = [f"{name} {value:.1%}" for name, value in measured.get("accuracy", {}).items()]
    for subset in MARKS:
        if found := measured.get(subset):
            marked = f"{subset} {found['agrees']:.1%}"
            said.append(f"{marked}, {found['removed']:.1%} without the mark, {found['lies']:.1%} where it lies")
    if memory := measured.get("memory"):
        said.append(f"random labels remembered {memory['remembered']:.1%}")
    return "; ".join(said)


def networks() -> list[str]:
    """A paragraph a network, from its card; the hash is computed from the file."""
    out = []
    for card_path in sorted(DATA.glob("*.json")):
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if "parameters" not in card:  # it is no network's
            continue
        if "package" in card:
            out += from_package(card)
            continue
        images = " + ".join(f"{n:,} {subset}" for subset, n in card["recipe"]["subsets"].items())
        out += [
            f"`{card['name']}`, {card['parameters']:,} parameters",
            f": Trained on {images} images of Toyland, seed {card['recipe']['seed']}. {card['data']}",
            f": Measured: {shares(card['measured'])}.",
            f": sha256 `{sha256(card_path.with_suffix('.safetensors'))}`",
            "",
        ]
    return out


def from_package(card: dict) -> list[str]:
    """The paragraph of a network whose weights are in a package."""
    size, mean, std = (card["preprocessing"][key] for key in ("size", "mean", "std"))
    return [
        f"`{card['name']}`, {card['parameters']:,} parameters",
        f": {card['source']} {card['data']} Licence: {card['licence']}",
        f": Measured: {shares(card['measured'])}, on {card['measured']['accuracy_images']} photographs of {size} "
        f"pixels, with mean {mean[0]:.4f} and deviation {std[0]:.4f} taken out.",
        f": Package `{card['package']}`; sha256 `{card['sha256']}`",
        "",
    ]


def results() -> list[str]:
    """A paragraph a result file."""
    out = []
    for path in sorted((DATA / "results").glob("*.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        rows = [file for kind in (".parquet", ".csv") if (file := path.with_suffix(kind)).exists()]
        if not rows:
            continue
        weights = ", ".join(f"{name} `{value[:12]}`" for name, value in manifest.get("weights", {}).items())
        config = path.with_suffix(".toml")
        how = f"configuration `data/results/{config.name}`" if config.exists() else "configuration in the manifest"
        out += paragraph(rows, f"{how[0].upper()}{how[1:]}, manifest `{path.name}`; networks {weights}.")
    return out


def measured() -> list[str]:
    """A paragraph for each table that a program writes."""
    return [
        line for name, how in WRITTEN_BY.items() for line in paragraph([DATA / "results" / name], f"Written by {how}.")
    ]


def paragraph(files: list[Path], how: str) -> list[str]:
    """Files that hold the same rows, how they were made, and their hashes."""
    return [
        "; ".join(f"`{file.relative_to(ROOT).as_posix()}`, {count(file):,} rows" for file in files),
        f": {how}",
        *(f": sha256{f' of the {file.suffix[1:]} file' if files[1:] else ''} `{sha256(file)}`" for file in files),
        "",
    ]


def count(path: Path) -> int:
    """How many rows a result file has."""
    if path.suffix == ".csv":
        return sum(1 for _ in open(path, encoding="utf-8")) - 1
    import pyarrow.parquet as pq

    return pq.read_metadata(path).num_rows


def page() -> list[str]:
    """The page, line by line."""
    return [
        written("provenance"),
        "",
        "## Software",
        "",
        *versions(),
        "",
        "## Chapters",
        "",
        "Seconds are those of the run that made the stored outputs, on a machine that may have been busy.",
        "",
        *chapters(),
        "",
        "## Networks",
        "",
        *networks(),
        "## Stored rows",
        "",
        "Tables that are too slow for a chapter are computed once and stored; "
        "the chapter that shows them computes a slice again and compares.",
        "The short hash behind a network is that of its file, or the runner's of its parameters.",
        "",
        *results(),
        *measured(),
    ]
