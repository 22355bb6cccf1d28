"""Pages made by tools are what the tools make now, and say what chapters and data files say."""

import hashlib
import inspect
import json
import re

import pytest

import holicam as hc
from tests.helpers.explainers import GUESTS
from tools import pages
from tools.chapters import by_number
from tools.ipynb import BOOK, ROOT
from tools.pages import claims as claims_page
from tools.pages import provenance, published, speed, speed_gpu, used
from tools.pages import stages as stages_page

MADE = {
    "claims": claims_page,
    "published-tables": published,
    "provenance": provenance,
    "api-used": used,
    "speed": speed,
    "stages": stages_page,
}


@pytest.fixture(scope="module")
def book():
    return by_number()


@pytest.mark.parametrize("name", MADE)
def test_page_is_up_to_date(name):
    text = (BOOK / f"{name}.md").read_text(encoding="utf-8")
    assert text == pages.text(MADE[name].page()), f"book/{name}.md is out of date: run `make pages`"


def test_provenance_names_every_file_of_rows():
    said = "\n".join([*provenance.results(), *provenance.measured()])
    files = [path for kind in ("parquet", "csv") for path in (ROOT / "data" / "results").glob(f"*.{kind}")]
    assert len(files) > 10 and {path.suffix for path in files} == {".parquet", ".csv"}
    for path in files:
        assert f"`data/results/{path.name}`, {provenance.count(path):,} rows" in said
        assert hashlib.sha256(path.read_bytes()).hexdigest() in said


def test_the_speed_page_and_the_readme_say_what_a_gpu_said(tmp_path):
    """What stands in result files, and where there is none, that there is none."""
    measured, readme = list(speed.RESULTS.glob("*-cuda.json")), (BOOK.parent / "README.md").read_text()
    assert (speed_gpu.NOTHING in speed.page()) == ("It has not been run yet" in readme) == (not measured)
    for path in speed.RESULTS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    about = {"device": "NVIDIA H100", "torch": "2.11.0", "date": "2026-12-01"}
    made = {
        "tests": {"passed": 7, "failed": 1, "error": 0, "skipped": 0, "complete": False, "names": ["tests/a.py::b"]},
        "parity": {
            "network": "a small one",
            "limits": {"float32": 0.01, "float64": 1e-6},
            "not_run": ["epg"],
            "rows": [
                {"name": "grad-cam", "float32": 2e-7, "float64": 1e-15},
                {"name": "lrp", "float32": 1e-3, "float64": 1e-3},
                {"name": "rise", "failed": "float32: RuntimeError: no"},
            ],
        },
        "chapters": {
            "not_run": [],
            "rows": [
                {"chapter": "01-a", "device": "cuda", "cells": 9, "differ": [], "stopped": ""},
                {"chapter": "02-b", "device": "cuda", "cells": 9, "differ": [{"cell": 4}], "stopped": ""},
                {"chapter": "03-c", "device": "cuda", "cells": 2, "differ": [], "stopped": "cell 3: ValueError: a | b"},
            ],
        },
    }
    for name, result in made.items():
        (tmp_path / f"{name}-cuda.json").write_text(json.dumps(about | result))
    cpu = json.loads((speed.RESULTS / "explainers-toy-resnet50-cpu.json").read_text())
    rows = [row | {"peers": {}} for row in cpu["rows"][:2]]
    (tmp_path / "explainers-toy-resnet50-cuda.json").write_text(
        json.dumps(cpu | {"device": "NVIDIA H100", "peers": {}, "rows": rows})
    )
    text = pages.text(speed.page(tmp_path))
    for line in (
        "## Every explainer on toy-resnet50, NVIDIA H100",
        "| explainer | at | F | extra MB |",
        "## On a GPU",
        "7 passed, 1 failed: `tests/a.py::b`. They were stopped before the end.",
        "| grad-cam | 2e-07 | 1e-15 |",
        "| lrp | 1e-03 | 1e-03 ! |",
        "| rise | failed | failed |",
        "Failed there: rise (float32: RuntimeError: no).",
        "No time was left for epg.",
        "| 01-a | cuda | 9 | the same |",
        "| 02-b | cuda | 9 | other numbers in cells 4 |",
        "| 03-c | cuda | 2 | stopped in cell 3: ValueError: a   b |",
        "NVIDIA H100, torch 2.11.0, 2026-12-01.",
    ):
        assert line in text, line
    assert speed_gpu.NOTHING not in text and "no peer was installed" in text


# --- the published tables --------------------------------------------------------------------------

KEY = ("model", "layer", "method", "variant", "subset", "metric")


def test_every_noted_cell_is_in_its_table():
    for row in published.read("anomalies.csv"):
        cells = [r for r in published.read(row["file"]) if all(r[k] == row[k] for k in KEY)]
        assert any(float(r["value"]) == float(row["value"]) and r["flag"] == row["flag"] for r in cells), row
        assert set(row["flag"].split("+")) - {"reconstructed"} <= published.KINDS.keys()


def test_arithmetic_of_the_notes():
    """Where a note says what insertion less deletion is, it is that."""
    checked = 0
    for row in published.read("anomalies.csv"):
        if found := re.search(r"ins-del=([\d.]+)", row["note"]):
            same = {
                r["metric"]: float(r["value"])
                for r in published.read(row["file"])
                if all(r[k] == row[k] for k in KEY[:-1])
            }
            assert same["insertion"] - same["deletion"] == pytest.approx(float(found[1]), abs=5e-4)
            assert abs(float(row["value"]) - float(found[1])) > 3e-3
            checked += 1
    assert checked >= 8


# --- who builds and who uses what -----------------------------------------------------------------


@pytest.fixture(scope="module")
def every():
    """All public names on the API pages."""
    return {key: name for part in used.names().values() for key, name in part.items()}


def test_explainers_and_metrics_name_the_chapter_that_builds_them(every, book):
    for word, value in used.registered().items():
        if word in GUESTS:
            continue
        assert every[value].built, f"{word}: the docstring of {value} names no chapter"
    for name in every.values():
        assert set(name.built) <= book.keys(), f"{name.name} names a chapter that does not exist"


def test_every_explainer_is_used_where_it_is_built(every):
    for word, value in hc.explainers.items():
        name = every[value]
        assert set(name.built) <= name.used, f"{word} is not used in the chapter that builds it"


def test_all_that_is_offered_is_in_the_reference(every):
    for value in used.offered():
        assert value in every, f"{value.__module__}.{value.__qualname__} is on no page of the reference"


def unknown(dotted):
    """The first part of hc.this.that which holicam does not have; a definition's own attributes are not followed."""
    where = hc
    for part in dotted.split("."):
        if not inspect.ismodule(where):
            return None
        if not hasattr(where, part):
            return part
        where = getattr(where, part)
    return None


def test_every_name_that_the_book_mentions_exists(book):
    text = {c.path.name: c.text for c in book.values()}
    text |= {p.name: p.read_text(encoding="utf-8") for p in BOOK.glob("*.md")}
    code = {c.path.name: "\n".join(c.code) for c in book.values()}
    said = [(name, d) for name, t in text.items() for d in re.findall(r"`hc\.(\w+(?:\.\w+)*)", t)]
    said += [(name, d) for name, t in code.items() for d in re.findall(r"\bhc\.(\w+(?:\.\w+)*)", t)]
    assert len(said) > 500
    wrong = {f"{name}: hc.{dotted} has no {part}" for name, dotted in said if (part := unknown(dotted))}
    assert not wrong, sorted(wrong)
    assert unknown("metrics.insertion_delation") == "insertion_delation"
