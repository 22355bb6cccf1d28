"""Presets and reports: every published table has its configuration; what reports say, count and mark."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
import shutil
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import holicam as hc
from holicam.experiments import report
from holicam.experiments import storage as parts
from holicam.experiments.config import ConfigError, from_table
from holicam.experiments.evidence import Grouping, interval
from holicam.experiments.manifest import run_name
from holicam.experiments.paper_tables import NAMES, preset
from holicam.experiments.part_file import encode, read_rows
from holicam.experiments.pivot import Results
from holicam.experiments.plan import Plan
from holicam.experiments.published import in_our_unit
from holicam.experiments.remarks import remarks
from holicam.experiments.report_charts import charts, svg
from holicam.experiments.report_curves import drawn
from holicam.experiments.report_examples import examples
from holicam.experiments.run import evaluate
from holicam.experiments.toml import as_toml
from holicam.experiments.whole_files import write_whole
from holicam.models import data_folder

PUBLISHED = data_folder() / "published"


@pytest.mark.parametrize("name", NAMES)
def test_every_table_has_a_small_twin_on_toyland(name):
    config = preset(name, toyland=True)
    plan = Plan.of(config)
    assert plan.units and config.dataset["name"] == "toyland" and "Toyland" in config.notes[0]
    full = preset(name, root="/data")
    assert full.n in (0, 2000, 3000) and full.dataset["root"] == "/data"
    for network in full.networks:
        assert any(note.startswith(f"{network}: ") for note in config.notes)
    reduced = [note for note in config.notes if " = " in note]
    assert bool(reduced) == any(
        entry.name in ("rise", "ss-cam", "smoothgrad", "extremal-perturbation") for entry in config.explainers
    )


@pytest.mark.parametrize("name", NAMES)
def test_published_values_find_their_cells(name):
    """Every row of the paper that this table covers is found under the labels of its preset."""
    known = report.published(name)
    config = preset(name, root="/data")
    found = {
        report.beside(known, network, layer, label, metric)
        for network in config.networks
        for label in config.made
        for metric in config.metrics
        for layer in (*config.layers_for(network, ("",)), "")
    }
    networks = {n.removesuffix("_bn").replace("-", "").replace("_", "") for n in config.networks}
    wanted = {value for (model, _, _, metric), value in known.items() if metric in config.metrics and model in networks}
    assert wanted and wanted <= found, sorted(wanted - found)[:5]


def test_names_and_roots_that_are_missing():
    with pytest.raises(ConfigError, match="close names are holicam|close names are .*holistic-cam-table1"):
        preset("holistic-table1")
    with pytest.raises(ConfigError, match="needs the data set imagenet: give the folder"):
        preset("holistic-cam-table6")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A merged run under the name of a published table."""
    out = tmp_path_factory.mktemp("run")
    config = preset("holistic-cam-table1", toyland=True)
    chosen = tuple(entry for entry in config.explainers if entry.label in ("Grad-CAM", "Layer-CAM"))
    config = replace(
        config,
        explainers=chosen,
        metrics=("epg",),
        networks=("toy-resnet50",),
        target="label",  # a map of another class would have no score
        dataset={**config.dataset, "n": 4, "size": 96},
    )
    plan = Plan.of(config)
    evaluate(plan, out, part=(0, 1))
    parts.merge(out, plan.keys())
    return out


def test_three_formats_say_the_same(run):
    paths = report.write(run)
    assert [p.name for p in paths] == ["report.html", "report.md", "report.tex", "report.csv"]
    page, markdown, latex, table = (p.read_text(encoding="utf-8") for p in paths)
    with (PUBLISHED / "holistic_main_table1.csv").open(encoding="utf-8") as file:
        wanted = {"model": "ResNet-50", "layer": "Layer4", "method": "Grad-CAM", "metric": "epg"}
        printed = next(r["value"] for r in csv.DictReader(file) if wanted.items() <= r.items())
    assert float(printed) > 1  # a percentage, where ours are fractions
    for text in (markdown, page, latex):
        assert f"({float(printed) / 100:.5f})" in text and printed not in text and "Layer-CAM" in text
        assert "toyland, 4 images" in text and "8 images" not in text
        assert "how well toy-resnet50 knows images of this size that are enlarged" in text  # of 96 pixels
    found, manifest = report.tables(run)
    assert [t.title for t in found] == ["toy-resnet50, Layer2", "toy-resnet50, Layer4"]
    cell = found[1].rows["Grad-CAM"]["epg"]
    assert cell.count == 4 and cell.low <= cell.mean <= cell.high and cell.text in markdown
    (said,) = [
        r for r in csv.DictReader(table.splitlines()) if (r["table"], r["explainer"]) == (found[1].title, "Grad-CAM")
    ]
    assert (float(said["mean"]), float(said["low"]), float(said["high"])) == (cell.mean, cell.low, cell.high)
    assert said["n"] == "4" and float(said["published"]) == pytest.approx(float(printed) / 100)
    assert "holistic-cam" in report.caption(manifest)
    known = {**manifest, "config": {**manifest["config"], "dataset": {"name": "toyland", "size": 112}}}
    assert "At 112 px, enlarged 1, 1.5, 2, 3, 4 times, n = 200 drawings" in report.caption(known)


def test_the_page_stands_alone_and_shows_maps(run):
    page = report.write(run, maps=1)[0].read_text(encoding="utf-8")
    assert (
        not re.search(r"(?:src|href)=\"(?!data:|#)", page)
        and "<script" not in page
        and "http" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    )
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', page)
    assert len(pictures) == 1 and "Grad-CAM, Layer-CAM" in pictures[0][1]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0][0]))) as picture:
        assert picture.width > 400 and np.ptp(np.asarray(picture.convert("L"))) > 200
    assert 'aria-label="Dot and interval of each explainer: epg"' in page and "Layer2" in page
    repeated = html.unescape(re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)[1])
    again = from_table(tomllib.loads(repeated))
    assert again.plain() == Plan.of(again).config.plain() == report.read_manifest(run)["config"]


def test_a_page_without_its_data_says_so(run, tmp_path):
    manifest = json.loads((run / "manifest.json").read_text())
    gone = {**manifest["given"], "dataset": {"name": "folder", "root": str(tmp_path / "gone")}}
    found = examples(run, {**manifest, "given": gone}, 1)
    assert not found.shown and re.match("There are no example maps: .*gone", found.said)


def test_a_picture_that_cannot_be_made_is_left_out(run, monkeypatch):
    """As after `merge --partial`: the others are shown, and the page says why one is not."""

    def fail(self, *_, **__):
        raise RuntimeError("no such gradient")

    monkeypatch.setattr(hc.explainers["layer-cam"], "checked", fail)
    found = examples(run, report.read_manifest(run), 1)
    assert [one.alt for one in found.shown] == ["Maps by Grad-CAM over the image."]
    assert "Layer-CAM failed on image" in found.said and "no such gradient" in found.said


def test_a_label_with_dollars_is_no_formula(run):
    """It is drawn letter by letter in charts and curves."""
    label, line = "$^$", (np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    svg(drawn(label, {"insertion": {label: line}}))
    tables, _ = report.tables(run)
    rows = {label if name == "Grad-CAM" else name: cells for name, cells in tables[0].rows.items()}
    assert label in charts([replace(tables[0], rows=rows)], [label])["epg"]


@pytest.mark.parametrize(
    "table",
    [
        {"a": 1, "b": [0.5, True], "c-d": 'say "x"\n\\ é', "t": {"x y": ["a"], "n": -3}},
        {"explainers": [{"name": "rise", "masks": 300}, "grad-cam"], "loaders": {}},
    ],
)
def test_toml_is_read_as_it_was(table):
    assert tomllib.loads(as_toml(table)) == table


def test_what_toml_does_not_have():
    """None is left out, wherever it stands; what else it does not have is named."""
    table = {"a": None, "b": {"c": None, "d": 1}, "e": [{"name": "x", "baseline": None}]}
    assert tomllib.loads(as_toml(table)) == {"b": {"d": 1}, "e": [{"name": "x"}]}
    with pytest.raises(TypeError, match="no value such as 1j"):
        as_toml({"a": 1j})


def test_a_run_that_is_not_merged(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        report.write(tmp_path)
    shutil.copy(run / "manifest.json", tmp_path)
    with pytest.raises(FileNotFoundError, match=f"join the parts with `python -m holicam merge {tmp_path}`"):
        report.write(tmp_path)


def test_tables_of_ones_own_have_no_published_values():
    assert (
        report.published("") == {}
        and from_table({"dataset": "toyland", "networks": ["toy-resnet50"], "explainers": ["grad-cam"]}).table == ""
    )


def row(image, value, degenerate="none", note="", metric="insertion"):
    return {
        "network": "net",
        "layer": "layer4",
        "explainer": "Grad-CAM",
        "image": image,
        "metric": metric,
        "value": value,
        "degenerate": degenerate,
        "note": note,
    }


def test_maps_that_say_nothing_are_counted_among_those_of_the_table():
    """Of pairs: those that a table leaves out are not counted, and the mean is that of the classes' means."""
    rows = [row("a", 0.2), row("b", 0.4), row("c", 0.9), row("d", 0.7, "zero"), row("e", 0.5, "zero"), row("f", 0.1)]
    results = Results.of(rows, {})
    chosen = np.array([True, True, True, True, False, False])  # one odd map, and one that is none, are flagged
    grouping = Grouping(np.arange(6), np.array([1, 1, 2, 2, 2, 2]))
    without = "net, layer4, Grad-CAM: 1 of 4 maps say nothing (1 zero); without them insertion"
    assert remarks(results, chosen) == [f"{without} 0.500."]
    assert remarks(results, chosen, grouping) == [f"{without} 0.600."]  # ((0.2 + 0.4) / 2 + 0.9) / 2
    assert remarks(results, np.array([True, True, True, False, False, True]), grouping) == []


def test_maps_that_say_nothing_are_counted_and_left_out_once():
    nan = float("nan")
    rows = [
        row("a", 0.25),
        row("b", 0.75),
        row("c", 0.9, "zero"),
        row("d", nan, "nan"),
        *(row(image, nan, metric="epg") for image in "ab"),
        row("e", nan, note="skipped: it ends early"),
    ]
    assert remarks(Results.of(rows[:2], {})) == []
    assert remarks(Results.of(rows, {})) == [
        "1 could not be read, the first: e (it ends early).",
        "net, layer4, Grad-CAM: 2 of 4 maps say nothing (1 nan, 1 zero); without them insertion 0.500.",
    ]


# What labels, notes and file names may hold -------------------------------------------------------

NASTY = "a_b {c} $x$ 5 % #1 & y ~ ^ \\cmd | <script>alert(1)</script> [t](u) *s* `q`\nsecond } line"


@pytest.fixture(scope="module")
def nasty():
    cell = report.Cell(0.5, 0.4, 0.6, 12, "best", "0.3", of=12)
    return [report.Table(NASTY, ("epg",), {NASTY: {"epg": cell}, "[b] \\\\*": {"epg": replace(cell, mark="second")}})]


def test_latex_is_escaped(nasty):
    """All ten of its specials; braces balance; no line ends a comment or a row too early."""
    from holicam.experiments.report_formats import to_latex

    text = to_latex(nasty, NASTY, [NASTY], {NASTY: "curves-0"})
    for said in (
        r"a\_b \{c\} \$x\$ 5 \% \#1 \& y",
        r"\textasciitilde{}",
        r"\textasciicircum{}",
        r"\textbackslash{}cmd",
        r"\textless{}script\textgreater{}",
        r"second \} line",
    ):
        assert said in text, said
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert r"\textbf{0.500 [0.400, 0.600]} (0.3)" in text and r"\textit{" in text
    lines = text.splitlines()
    assert not [line for line in lines if line.startswith(("[", "*", "second"))]
    (comment,) = [line for line in lines if line.startswith("% ")]
    assert comment.endswith("line")


def test_markdown_is_escaped(nasty):
    from holicam.experiments.report_formats import to_markdown

    text = to_markdown(nasty, NASTY, [NASTY], {NASTY: "curves-0"})
    assert "<script>" not in text and "&lt;script&gt;" in text
    for said in (r"\|", r"\[t\](u)", r"\*s\*", r"\`q\`", "\\\\cmd"):
        assert said in text, said
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3 and all(len(re.split(r"(?<!\\)\|", row)) == 4 for row in rows)
    assert "**0.500 [0.400, 0.600]** (0.3)" in rows[1] and "second } line" in rows[1]


def test_html_is_escaped(nasty):
    from holicam.experiments.report_examples import Example, Examples
    from holicam.experiments.report_page import Report, page

    shown = Examples((Example(NASTY, "AAAA", NASTY),), NASTY)
    told = {"charts": {NASTY: "<svg></svg>"}, "curves": {}, "examples": shown, "skipped": {NASTY: NASTY}}
    text = page(
        Report(NASTY, NASTY, {NASTY: NASTY}, nasty, [NASTY], left_out=[NASTY], repeat=NASTY, commands=[NASTY], **told)
    )
    assert "<script" not in text and "<td><b>0.500 [0.400, 0.600]</b> (0.3)</td>" in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 18


def test_csv_is_harmless(nasty):
    from holicam.experiments.report_formats import harmless, to_csv

    rows = list(csv.reader(to_csv(nasty).splitlines()))
    assert {len(row) for row in rows} == {10} and len(rows) > 2
    assert harmless("=1+1") == "'=1+1" and harmless("Grad-CAM") == "Grad-CAM"


# Counts, marks and units --------------------------------------------------------------------------


def test_counts_come_from_the_rows(tmp_path):
    """Whatever a note says; values that are missing are counted in their cell."""
    from tests.helpers import runs

    plan = runs.planned(notes=["Toyland: 8 images of 112 px"], metrics=["epg", "average-drop"])
    runs.run(plan, tmp_path)
    path = runs.parts_of(tmp_path)[0]
    table = parts.merge(tmp_path)
    rows = table.to_pylist()
    lost = next(row for row in rows if row["metric"] == "epg" and row["explainer"] == "grad-cam")
    rows = [{**row, "value": float("nan")} if row is lost else row for row in rows]
    parts.write_part(tmp_path / "rows.parquet", rows)
    said = []
    for path in report.write(tmp_path, said.append):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            assert sorted(row["n"] for row in csv.DictReader(text.splitlines()) if row["metric"] == "epg")[0] == "3"
            continue
        text = text.partition("<h2>How to repeat it")[0]  # below stands the configuration, notes and all
        assert "toyland, 4 images" in text and "8 images" not in text and " n=3" in text
        assert "nothing is marked below 12 images" in text and "t interval" in text and "Holm" in text
    assert said == [f"{tmp_path}: 4 images"]


def results_of(images, metrics, value, dataset="toyland"):
    """Two methods on so many images; value: (method, metric, i) -> score."""
    config = {"networks": ["net"], "explainers": {"a": {}, "b": {}}, "metrics": metrics, "table": ""}
    rows = [
        {**row(image, value(method, metric, i), metric=metric), "explainer": method, "target": 0}
        for i, image in enumerate(images)
        for method in "ab"
        for metric in metrics
    ]
    return Results.of(rows, {**config, "dataset": {"name": dataset}}, images=tuple(images))


def test_marks_are_adjusted_for_the_whole_table():
    """Better on 13 of 16 images: sure where it is the only comparison, and not as one of four."""
    signs = np.where(np.arange(16) < 13, 0.1, -0.1)

    def value(method, metric, i):
        return 0.5 + (signs[i] if metric == "insertion" else (-1) ** i * 0.1) * (method == "a")

    images = [str(i) for i in range(16)]
    (alone,) = report._tables(results_of(images, ["insertion"], value))
    (beside,) = report._tables(results_of(images, ["insertion", "over-all", "epg", "road"], value))
    cells = [found.rows["a"]["insertion"] for found in (alone, beside)]
    assert [cell.mark for cell in cells] == ["best", ""] and cells[0].text == cells[1].text
    assert not any(cell.mark for cell in beside.rows["b"].values())
    low, high = interval(0.5 + signs)
    assert cells[0].text == f"{0.5 + signs.mean():.3f} [{low:.3f}, {high:.3f}]"


def test_questions_about_one_mosaic_are_one_image():
    """Twenty-two questions about eleven mosaics mark nothing; about twenty-two mosaics they do."""
    noise = np.random.default_rng(0).normal(scale=0.01, size=22)

    def value(method, metric, i):
        return noise[i] + (method == "a")

    for mosaics, mark in ((11, ""), (22, "best")):
        images = [f"{i % mosaics}/some.png+files.png/{i // 11}" for i in range(22)]
        (found,) = report._tables(results_of(images, ["grid-pointing"], value, "mosaics"))
        assert found.rows["a"]["grid-pointing"].mark == mark and found.rows["a"]["grid-pointing"].count == 22
    by_mosaic = results_of([f"{i % 11}/files/{i // 11}" for i in range(22)], ["epg"], value, "mosaics")
    assert by_mosaic.grouping().clusters.tolist() == [str(i % 11) for i in range(22)]
    assert results_of(["x/1", "x/2"], ["epg"], value).grouping() is None


def test_one_image_has_no_interval():
    (found,) = report._tables(results_of(["0"], ["epg"], lambda method, metric, i: 0.25))
    assert found.rows["a"]["epg"].text == "0.250"


@pytest.mark.parametrize(
    ("printed", "ours"),
    [
        ("36.306 %", "0.36306"),
        ("69.6 %", "0.696"),
        ("100 %", "1.00"),
        ("-1.2 %", "-0.012"),
        ("0.549", "0.549"),
        ("", ""),
        ("9.0 %", "0.090"),
        ("– %", "– %"),
    ],
)
def test_one_unit(printed, ours):
    assert in_our_unit(printed) == ours


@pytest.mark.parametrize("name", NAMES)
def test_no_published_value_stays_a_percentage(name):
    known = report.published(name)
    assert not [value for value, _ in known.values() if "%" in in_our_unit(value)]
    assert not any("images of" in note and note[9].isdigit() for note in preset(name, toyland=True).notes)


def test_what_a_user_wrote_in_a_report_is_kept(run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    first = {p.name: p.read_bytes() for p in report.write(out)}
    (out / "report.md").write_text("my own remarks", encoding="utf-8")
    said: list[str] = []
    report.write(out, said.append)
    assert [line for line in said if "moved" in line] == [
        f"{out / 'report.md'} was changed since it was written, or is yours: it was moved to "
        f"{out / 'aside' / 'report.md'}"
    ]
    assert (out / "aside" / "report.md").read_text(encoding="utf-8") == "my own remarks"
    assert {name: (out / name).read_bytes() for name in first} == first
    (out / "written.json").write_text("{", encoding="utf-8")
    said.clear()
    report.write(out, said.append)
    assert not [line for line in said if "moved" in line], "the same bytes are nobody's loss"
    rows = out / "rows.parquet"
    shutil.copy(rows, out / "report.csv")  # any other bytes, and no note that knows of them
    (out / "written.json").unlink()
    with pytest.warns(UserWarning, match=r"report\.csv was changed since"):
        report.write(out)
    assert (out / "aside" / "report.csv").read_bytes() == rows.read_bytes()


def test_a_run_of_an_older_version_has_a_report_without_examples(run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    old = {key: value for key, value in manifest.items() if key not in ("given", "images", "run", "code")}
    (out / "manifest.json").write_text(json.dumps(old), encoding="utf-8")
    name = run_name(old)
    table = read_rows(out / "rows.parquet")
    renamed = table.set_column(0, "run", [[name] * table.num_rows])
    write_whole(out / "rows.parquet", encode(renamed))
    page = report.write(out, maps=1)[0].read_text(encoding="utf-8")
    assert "There are no example maps" in page and "does not list its images" in page
