"""Pages made by tools are what the tools make now, and say what chapters and data files say."""

import ast
import json
import re

import pytest

from tools import claims_page, pages, provenance_page, published_page, speed_gpu, speed_page, used_page
from tools.chapters import by_number
from tools.claims_page import PRINTED, VERDICTS, claims, finding, pattern, read, value

MADE = {
    "claims": claims_page,
    "published-tables": published_page,
    "provenance": provenance_page,
    "api-used": used_page,
    "speed": speed_page,
}
CLAIMS = claims()


@pytest.fixture(scope="module")
def book():
    return by_number()


@pytest.mark.parametrize("name", MADE)
def test_page_is_up_to_date(name):
    text = (pages.BOOK / f"{name}.md").read_text(encoding="utf-8")
    assert text == pages.text(MADE[name].page()), f"book/{name}.md is out of date: run `make pages`"


def test_the_speed_page_and_the_readme_say_what_a_gpu_said(tmp_path):
    """What stands in result files, and where there is none, that there is none."""
    measured, readme = list(speed_page.RESULTS.glob("*-cuda.json")), (pages.BOOK.parent / "README.md").read_text()
    assert (speed_gpu.NOTHING in speed_page.page()) == ("It has not been run yet" in readme) == (not measured)
    for path in speed_page.RESULTS.glob("*.json"):
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
    cpu = json.loads((speed_page.RESULTS / "explainers-toy-resnet50-cpu.json").read_text())
    rows = [row | {"peers": {}} for row in cpu["rows"][:2]]
    (tmp_path / "explainers-toy-resnet50-cuda.json").write_text(
        json.dumps(cpu | {"device": "NVIDIA H100", "peers": {}, "rows": rows})
    )
    text = pages.text(speed_page.page(tmp_path))
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


# --- the claim ledger ------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: f"{c['paper']}: {c['place']}")
def test_claim(claim, book):
    """Its numbers stand in one cell, bear out the verdict, and are all on the page."""
    assert claim["paper"] in PRINTED and claim["verdict"] in VERDICTS
    assert set(claim["covers"]) <= set(PRINTED[claim["paper"]])
    if claim["verdict"] == "open":
        assert "chapter" not in claim and claim["why"]
        return
    assert claim["find"], "a verdict needs a stored output"
    said = finding(claim, book)  # raises where a number is gone or the check is not true any more
    assert re.findall(r"\{(\w+)\}", claim["ours"]) == [] or "check" in claim, "numbers need a check"
    assert said.count("{ref}`cell ") >= 1


@pytest.mark.parametrize("paper", PRINTED)
def test_every_figure_and_table_is_covered(paper):
    covered = {item for c in CLAIMS if c["paper"] == paper for item in c["covers"]}
    assert covered == set(PRINTED[paper])


def test_places_are_unique():
    places = [(c["paper"], c["place"]) for c in CLAIMS]
    assert len(set(places)) == len(places)


class Said:
    """A chapter that has printed three things."""

    path = pages.BOOK / "00-none.ipynb"
    printed = {1: "layer1  0.25 ± 0.10\nlayer2 -0.50 ± 0.20", 2: "wrap {'a': '18.66%'}", 3: "layer1 again"}


def test_find_reads_one_cell():
    assert read(Said, "layer1 {a} ± {b} layer2 {c}") == (1, {"a": "0.25", "b": "0.10", "c": "-0.50"})
    assert read(Said, "layer1 ... layer2 {c}") == (1, {"c": "-0.50"})
    assert read(Said, "wrap {'a': '{a}'}") == (2, {"a": "18.66%"})
    assert claims_page.number("18.66%") == 18.66 and claims_page.number("1,024") == 1024
    with pytest.raises(ValueError, match=r"in cells \[1, 3\]"):
        read(Said, "layer1")
    with pytest.raises(ValueError, match="in no cell"):
        read(Said, "layer3 {a}")
    assert not pattern("ayer1").search("layer1"), "a word is not found in another word"


def test_check_counts_and_compares_only():
    def holds(text, **numbers):
        return value(claims_page.ast.parse(text, mode="eval"), numbers)

    assert holds("a > 2 * b and max(a, b) == a", a=5.0, b=2.0) and not holds("1 < a < 2", a=5.0)
    assert holds("abs(a - b) < 4 or a < -1", a=5.0, b=2.0)
    for bad in ("c > 1", "__import__('os')", "a.real", "print(a)"):
        with pytest.raises(ValueError):
            holds(bad, a=1.0)


def test_a_verdict_that_is_not_borne_out_is_an_error(book):
    claim = next(c for c in CLAIMS if "check" in c)
    with pytest.raises(ValueError, match="is not true of"):
        finding(claim | {"check": f"not_{claim['check']}".replace("not_", "0 > 1 and ")}, book)


# --- the published tables --------------------------------------------------------------------------

KEY = ("model", "layer", "method", "variant", "subset", "metric")


def test_every_noted_cell_is_in_its_table():
    for row in published_page.read("anomalies.csv"):
        cells = [r for r in published_page.read(row["file"]) if all(r[k] == row[k] for k in KEY)]
        assert any(float(r["value"]) == float(row["value"]) and r["flag"] == row["flag"] for r in cells), row
        assert set(row["flag"].split("+")) - {"reconstructed"} <= published_page.KINDS.keys()


def test_arithmetic_of_the_notes():
    """Where a note says what insertion less deletion is, it is that."""
    checked = 0
    for row in published_page.read("anomalies.csv"):
        if found := re.search(r"ins-del=([\d.]+)", row["note"]):
            same = {
                r["metric"]: float(r["value"])
                for r in published_page.read(row["file"])
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
    return {key: name for part in used_page.names().values() for key, name in part.items()}


def test_explainers_and_metrics_name_the_chapter_that_builds_them(every, book):
    for word, key in used_page.registered().items():
        assert every[key].built, f"{word}: the docstring of {key} names no chapter"
    for name in every.values():
        assert set(name.built) <= book.keys(), f"{name.name} names a chapter that does not exist"


def test_every_explainer_is_used_where_it_is_built(every):
    for word, key in used_page.registered().items():
        if not key[0].startswith("metrics"):
            assert set(every[key].built) <= every[key].used, f"{word} is not used in the chapter that builds it"


def test_all_that_is_offered_is_on_an_api_page(every):
    modules = used_page.Package().modules
    for module, name in used_page.offered():
        if not isinstance(modules[module].definitions[name][0], (ast.Assign, ast.AnnAssign)):
            assert (module, name) in every, f"{module}.{name} is on no API page"


def in_module(package, module, name):
    """What `holicam.module` has under this name: its own, or another package's that it imports."""
    nodes = (n for n in ast.walk(package.modules[module].tree) if isinstance(n, (ast.Import, ast.ImportFrom)))
    bound = {a.asname or a.name.split(".")[0] for n in nodes for a in n.names}
    return package.find(module, name) or (name in bound and (module, name)) or None


def unknown(package, dotted):
    """The first part of hc.this.that which holicam does not have; a definition's own attributes are not followed."""
    where = ""
    for part in dotted.split("."):
        where = in_module(package, where, part)
        if where is None:
            return part
        if isinstance(where, tuple):
            return None
    return None


def test_every_name_that_the_book_mentions_exists(book):
    package, text, code = used_page.Package(), {}, {}
    for chapter in book.values():
        text[chapter.path.name] = chapter.text
        code[chapter.path.name] = "\n".join(chapter.code)
    text |= {p.name: p.read_text(encoding="utf-8") for p in pages.BOOK.glob("*.md")}
    said = [(name, d) for name, t in text.items() for d in re.findall(r"`hc\.(\w+(?:\.\w+)*)", t)]
    said += [(name, d) for name, t in code.items() for d in re.findall(r"\bhc\.(\w+(?:\.\w+)*)", t)]
    assert len(said) > 500
    wrong = {f"{name}: hc.{dotted} has no {part}" for name, dotted in said if (part := unknown(package, dotted))}
    assert not wrong, sorted(wrong)
    assert unknown(package, "metrics.insertion_delation") == "insertion_delation"
