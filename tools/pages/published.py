"""Write book/published-tables.md from data/published/.

What a reader of the three papers' tables should know, cell by cell, from data/published/anomalies.csv, with the
counts of all printed values from the tables' own files.
"""

import csv
import re
from collections import Counter

from tools.ipynb import BOOK, ROOT
from tools.pages import PAPERS, text, written

FOLDER, PAGE = ROOT / "data" / "published", BOOK / "published-tables.md"
TABLES = {"main_table": "Table {}", "appendix_table": "appendix, Table {}", "poster": "poster", "table": "Table {}"}
KINDS = {
    "arith_mismatch": (
        "a difference that is not the difference",
        "Over-all is insertion minus deletion; here the printed three do not agree, so one of them has a slip.",
    ),
    "contradiction": (
        "two prints of one number",
        "The same quantity is printed twice, with two values. They may come from two samples of images.",
    ),
    "suspect_duplicate": (
        "equal digits",
        "Values that were measured apart and share all their digits. That can be chance, or a row filled in twice.",
    ),
    "suspect_swap": ("rows that look exchanged", "Values that fit an identity only when two rows change places."),
    "wrong_mark": ("a mark on another cell", "Bold or underline sits on a value that is not the best or second."),
    "mislabelled": ("a row under another name", "The values are those of the neighbouring method."),
}
COLUMN = {
    "over_all": "Over-all",
    "epg": "EPG",
    "insertion": "Ins",
    "deletion": "Del",
    "road": "ROAD",
    "map": "mAP",
    "pixel_accuracy": "pixel accuracy",
    "sensitivity_max": "sensitivity",
    "pointing_game": "pointing game",
}


def table_of(file: str) -> tuple[str, str]:
    """The paper's key and the table's name, from a file's name."""
    paper, _, rest = file.removesuffix(".csv").partition("_")
    kind = rest.rstrip("0123456789")
    return paper, TABLES[kind].format(rest[len(kind) :])


def read(name: str) -> list[dict]:
    with open(FOLDER / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values() -> list[dict]:
    """Every value of the three papers' tables, with the file it comes from."""
    names = sorted(p.name for p in FOLDER.glob("*.csv") if p.name.split("_")[0] in PAPERS)
    return [{"file": name, **row} for name in names for row in read(name)]


def place(row: dict) -> str:
    """Where a value stands, in words."""
    found = [row["model"].split(" (")[0], row["layer"], row["method"]]
    if row["variant"] and not row["variant"].startswith("block"):
        found.append(row["variant"].replace(";", ", ").replace("=", " "))
    return ", ".join(filter(None, found))


def cells(rows: list[dict]) -> str:
    """Values and where they stand; several metrics of one row of a table in one go."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(place(row), []).append(f"{COLUMN[row['metric']]} {row['value']}")
    return "; ".join(f"{where}: {', '.join(numbers)}" for where, numbers in found.items())


def plain(note: str) -> str:
    """A note in words that a reader of this page knows."""
    note = re.sub(r"printed [\d.]+ but ins-del=([\d.]+)", r"Insertion minus deletion is \1", note)
    note = re.sub(r"(\w+)=(\d+);(\w+)=(\d+)", r"\1 \2, \3 \4", note)
    note = note.replace("identical to A4", "the same value as in the appendix, Table 4, at").replace("=", " = ")
    note = note.replace("supplementary.pdf", "supplement").replace(" sd ", " standard deviation of ")
    return note.replace("E[a^2]+(1-E[a])/2", "E[a²] + (1 - E[a])/2")


def best_in(rows: list[dict], method: str) -> str:
    """For each metric, in how many blocks (network and layer) of a table a method has the best value."""
    blocks: dict[str, dict[tuple, list[dict]]] = {}
    for row in rows:
        blocks.setdefault(row["metric"], {}).setdefault((row["model"], row["layer"]), []).append(row)
    out = []
    for metric, found in blocks.items():
        pick = max if next(iter(found.values()))[0]["higher_is_better"] == "1" else min
        wins = sum(pick(block, key=lambda r: float(r["value"]))["method"] == method for block in found.values())
        out.append(f"{COLUMN[metric]} {wins}")
    return f"{len(found)} blocks: {', '.join(out)}"


def page() -> list[str]:
    """The page, line by line."""
    odd, every = read("anomalies.csv"), values()
    recovered = sum(bool({"reconstructed", "ambiguous"} & set(r["flag"].split("+"))) for r in every)
    out = [
        "## In numbers",
        "",
        "| what | " + " | ".join(name for name, _ in PAPERS.values()) + " |",
        "|---" * (len(PAPERS) + 1) + "|",
    ]
    count = Counter((table_of(r["file"])[0], k) for r in odd for k in r["flag"].split("+"))
    out += [
        f"| {title} | {' | '.join(str(count[paper, kind]) for paper in PAPERS)} |" for kind, (title, _) in KINDS.items()
    ]
    total = Counter(table_of(r["file"])[0] for r in every)
    out += [
        f"| values typed in | {' | '.join(str(total[paper]) for paper in PAPERS)} |",
        "",
        "A cell may count in two rows, and each cell of a pair counts.",
        "",
    ]
    for paper, (name, key) in PAPERS.items():
        out += [f"## {name}", "", f"{{cite:t}}`{key}`.", ""]
        for kind, (title, about) in KINDS.items():
            rows = [r for r in odd if table_of(r["file"])[0] == paper and kind in r["flag"].split("+")]
            if rows:
                out += [f"### {name}: {title}", "", about, ""]
            for (file, note), group in grouped(rows).items():
                out += [f"- {table_of(file)[1]}: {cells(group)}.", f"  *Note:* {plain(note)}."]
            out += [""] if rows else []
    best = best_in(read("holistic_appendix_table6.csv"), "Holistic-CAM")
    counts = {"values": f"{len(every):,}", "flagged": len(odd), "recovered": recovered}
    return [written("published", **counts, tables=text(out), best=best)]


def grouped(rows: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """Rows of one table with one note belong together."""
    found: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        found.setdefault((row["file"], row["note"]), []).append(row)
    return found
