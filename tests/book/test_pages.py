"""Pages made by tools are what the tools make now, and say what chapters and data files say."""

import hashlib
import inspect
import json
import re

import pytest

import holicam as hc
from holicam.experiments import compared, evidence
from tests.helpers.explainers import GUESTS
from tools import pages
from tools.chapters import by_number
from tools.ipynb import BOOK, ROOT
from tools.pages import (
    changes,
    choice,
    cite,
    costs,
    dots,
    provenance,
    published,
    speed,
    speed_gpu,
    stored_rows,
    used,
    which,
)
from tools.pages import claims as claims_page
from tools.pages import stages as stages_page
from tools.pages import toyland as toyland_page

MADE = {
    "claims": claims_page,
    "published-tables": published,
    "provenance": provenance,
    "api-used": used,
    "speed": speed,
    "stages": stages_page,
    "toyland": toyland_page,
    "figures/costs": costs,
    "figures/which-method": choice,
    "which-method": which,
    "cite": cite,
    "changes": changes,
}


@pytest.fixture(scope="module")
def book():
    return by_number()


@pytest.mark.parametrize("name", MADE)
def test_page_is_up_to_date(name):
    path = MADE[name].PAGE
    assert path.with_suffix("") == BOOK / name
    assert path.read_text(encoding="utf-8") == pages.text(MADE[name].page()), f"{path} is out of date: run `make pages`"


def test_one_command_writes_every_page():
    """As the message of the test above says."""
    text = (ROOT / "tools" / "pages" / "__main__.py").read_text(encoding="utf-8")
    assert {module.__name__.rpartition(".")[2] for module in MADE.values()} <= set(
        re.findall(r'^    "(\w+)",$', text, re.M)
    )


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


def test_no_method_is_shown_cheaper_than_the_forwards_it_makes():
    """Where a clock says so, the passes are shown, and marked."""
    for path in sorted(speed.RESULTS.glob("explainers-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for row in result["rows"]:
            made, one = hc.info(row["explainer"]).forwards, costs.cost(row)
            least = made if row["unit"] != "mask" else row["total_units"]
            assert one.shown >= least and one.floored == (one.measured < least) == str(one).startswith("≈")
            assert speed.shown(row).startswith("≈") == one.floored
    row = {"explainer": "grad-cam", "unit": "", "total_units": 0, "F": 0.9}
    assert str(costs.cost(row)) == "≈ 1.0" and speed.shown(row) == "≈ 1.00"
    assert (
        speed.shown(row | {"explainer": "rise", "unit": "mask", "total_units": 6000}) == "≈ 1.00 a mask, 6,000 of them"
    )
    assert str(costs.cost(row | {"F": 1.26})) == "1.3" and costs.shortfall({"rows": [row]}) == pytest.approx(0.1)


def test_the_chart_of_costs_has_a_dot_for_every_method_that_was_measured():
    drawn = "\n".join(costs.page())
    names = [name for name in costs.costs(costs.read()) if hc.info(name).family != "control"]
    assert drawn.count("<circle") == len(names) and all(f">{name}</text>" in drawn for name in names)
    hollow = [one for name, one in costs.costs(costs.read()).items() if one.floored]
    assert drawn.count(f'fill="{dots.PAPER}" stroke') == len(hollow) > 0


def test_a_recommendation_says_how_many_pictures_it_rests_on():
    """A mean of fewer pictures than a verdict asks for is not printed."""
    few, enough = (compared.Level(n, 0.5, 0.4, 0.6) for n in (11, 12))
    assert stored_rows.cell(few) == "too few (11)" and stored_rows.cell(enough) == "0.50 ± 0.10"
    assert stored_rows.cell(None) == stored_rows.cell(compared.Level(0, *[float("nan")] * 3)) == "not measured"
    text = pages.text(which.page())
    level = stored_rows.levels(which.OVER, 3, "over-all")["CAMERAS"]
    assert "| CAMERAS | 122 |" in text and stored_rows.cell(level) in text
    assert f"Means over {len(stored_rows.rows(which.OVER).images)} photographs" in text
    gap, word = stored_rows.against(which.OVER, "over-all", "Layer-CAM", (stored_rows.FAST,))[stored_rows.FAST, 0]
    assert gap.n == 150 and (word == "equivalent") == (
        evidence.equivalent(gap, stored_rows.MARGIN) and word not in ("more", "less")
    )


def test_what_a_map_costs_by_counting():
    assert choice.price("Layer-CAM") == 2 and choice.price("Grad-CAM++") == 2 and choice.price("PCAMPlus") == 3905
    assert choice.price(stored_rows.FAST) == pytest.approx(24.2, abs=0.1)
    assert choice.price("Holistic-CAM") == pytest.approx(121.8)


def test_words_of_a_drawing_stay_inside_it():
    """DejaVu Sans is at most 0.65 of its size wide on average, bold 0.72."""
    for page in (choice, costs):
        for line in page.page():
            for x, size, bold, words in re.findall(
                r'<text x="(\d+)" y="\d+"(?=[^>]*font-size="(\d+)")(?=([^>]*bold)?)[^>]*>([^<]*)<', line
            ):
                if "text-anchor" not in line:
                    assert int(x) + len(words) * int(size) * (0.66 if bold else 0.6) < 470, words


# --- citing, and what has changed -------------------------------------------------------------------


def test_the_citation_is_that_of_the_file():
    about = {"type": "software", "version": "1.2", "title": "holicam: a book", "repository-code": "https://a.b/c"}
    about["authors"] = [{"name": "the others"}, {"family-names": "Curie", "given-names": "Marie"}]
    made = cite.entry(about | {"date-released": "2031-05-01"})
    assert made.startswith("@software{holicam,\n  author  = {{the others} and Curie, Marie},\n")
    assert (
        "title   = {{holicam}: a book}" in made and "year    = {2031}" in made and made.endswith("{https://a.b/c}\n}")
    )
    assert cite.papers().count("@") == 3 and "Holistic-CAM" in cite.papers()


def test_readers_see_what_is_new_and_which_numbers_changed():
    text = (
        "# Changes\n\n## 2\n\n### New\n\n- a\n\n### For readers\n\n- b\n  goes on\n- c\n\n## 1\n\nThe first\nedition.\n"
    )
    found = changes.versions(text)
    assert found["2"]["For readers"] == "- b goes on\n- c" and found["1"][""] == "The first\nedition."
    page = pages.text(changes.page())
    for version in changes.versions((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        assert f"## {version}\n" in page
    assert "### New in the book" in page and page.count("### Numbers that changed") == page.count("\n## ")


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


def entry(every, word, value):
    """The entry of an explainer or a metric on a page of the reference."""
    where = f"{value.__module__}.{value.__qualname__}"
    assert value in every, (
        f"{word} ({where}) is on no page of the reference: add it to the page of its family, book/api-*.md, as its "
        "neighbours stand there (```{explainer} NAME, or the name of a metric), then run `make pages`"
    )
    return every[value]


def test_explainers_and_metrics_name_the_chapter_that_builds_them(every, book):
    for word, value in used.registered().items():
        if word in GUESTS:
            continue
        assert entry(every, word, value).built, (
            f'{word}: its docstring names no chapter: write "Built in chapter NN." there; a guest that no chapter '
            "builds is entered in GUESTS in tests/helpers/explainers.py, with its reason"
        )
    for name in every.values():
        assert set(name.built) <= book.keys(), f"{name.name} names a chapter that does not exist"


def test_every_explainer_is_used_where_it_is_built(every):
    for word, value in hc.explainers.items():
        name = entry(every, word, value)
        assert set(name.built) <= name.used, (
            f"{word} is not used in chapter {min(set(name.built) - name.used)}, where its docstring says it is built: "
            f'call hc.{value.__name__} or "{word}" in a cell there, or name another chapter in the docstring'
        )


def test_all_that_is_offered_is_in_the_reference(every):
    for value in used.offered():
        entry(every, value.__name__, value)


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
