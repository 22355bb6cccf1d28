"""The project pack: twelve claims that the ledger calls undecided, configurations that run, a report that is true."""

from __future__ import annotations

import importlib.util
import re

import pytest

from holicam.experiments.config import from_toml
from holicam.experiments.plan import Plan
from holicam.experiments.run import evaluate
from tools import projects
from tools.assignments.draws import comparisons, week
from tools.ipynb import ROOT
from tools.pages.claims import Ledger

CANDIDATES = projects.candidates()
each_project = pytest.mark.parametrize("project", CANDIDATES, ids=lambda p: p["slug"])
SAMPLE = projects.FOLDER / "sample"


@pytest.fixture(scope="module")
def ledger():
    return Ledger()


def test_the_list_follows_the_ledger(ledger):
    """It names a claim that has been decided since, or lacks one: run `python -m tools.projects`."""
    assert projects.PAGE.read_text(encoding="utf-8") == projects.page(ledger)
    chosen = projects.chosen(ledger)
    assert len(chosen) == 12 == len({(p["paper"], p["place"]) for p in chosen})
    assert all(ledger.verdict(projects.claim_of(p, ledger), "toyland") == "undecided" for p in chosen)
    assert {p["paper"] for p in chosen} == {"holistic", "polycam", "ucag"}


def test_a_claim_that_is_decided_leaves_the_list(ledger):
    first = projects.chosen(ledger)[0]

    class Decided:
        claims = ledger.claims

        def verdict(self, claim, world):
            return "holds" if claim["place"] == first["place"] else ledger.verdict(claim, world)

    assert first not in projects.chosen(Decided())


def test_a_project_without_a_claim_is_named(ledger):
    with pytest.raises(ValueError, match="x: data/claims.toml has no claim of ucag at 'Table 99'"):
        projects.claim_of({"slug": "x", "paper": "ucag", "place": "Table 99"}, ledger)


def test_every_project_has_a_configuration_and_no_other_lies_there():
    assert {path.stem for path in projects.CONFIGURATIONS.glob("*")} == {p["slug"] for p in CANDIDATES}


@each_project
def test_a_configuration_is_accepted(project):
    """Parsed, its explainers made, its units planned: what `evaluate --dry-run` does first. Controls are in it."""
    plan = Plan.of(from_toml(projects.CONFIGURATIONS / f"{project['slug']}.toml"))
    assert plan.units and {"random", "sobel", "center"} <= {entry.name for entry in plan.config.explainers}
    if "one" in project:
        assert {project["one"], project["other"]} <= {entry.name for entry in plan.config.explainers}
        assert project["metric"] in plan.config.metrics and project["layer"] in plan.config.layers


def test_one_configuration_runs(tmp_path):
    words = (projects.CONFIGURATIONS / "class-specific.toml").read_text(encoding="utf-8")
    small = tmp_path / "small.toml"
    small.write_text(words.replace("n = 24", "n = 1").replace("size = 64", "size = 32"), encoding="utf-8")
    plan = Plan.of(from_toml(small))
    assert evaluate(plan, tmp_path / "out", on="cpu") == len(plan.units) > 0


def test_a_week_is_about_a_project_of_the_pack_that_compares(ledger):
    titles = {week(str(seed))["title"] for seed in range(60)}
    assert titles == {p["title"] for p in projects.chosen(ledger) if "one" in p} and len(titles) >= 3


def test_a_week_is_about_the_drawings_of_its_project():
    for said in map(week, map(str, range(20))):
        (slug,) = (p["slug"] for p in CANDIDATES if p["title"] == said["title"])
        dataset = from_toml(projects.CONFIGURATIONS / f"{slug}.toml").dataset
        assert said["subset"] == dataset.get("subset", "single")


def test_a_week_without_a_claim_is_named(monkeypatch):
    monkeypatch.setattr(projects, "chosen", lambda ledger: [p for p in CANDIDATES if "one" not in p])
    with pytest.raises(ValueError, match="No claim is left for the assignment of a week"):
        comparisons.__wrapped__()


def test_the_rubric_adds_up():
    said = (projects.FOLDER / "rubric.md").read_text(encoding="utf-8")
    points = [int(n) for n in re.findall(r"^\| \*\*\w[\w ]+\*\* \| (\d+) \|", said, re.MULTILINE)]
    assert sum(points) == 40 and "40 points" in said and "40 points" in projects.BEFORE


def test_the_sample_report_says_what_its_rows_say():
    spec = importlib.util.spec_from_file_location("again", SAMPLE / "again.py")
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    rows, said = again.stored(), (SAMPLE / "report.md").read_text(encoding="utf-8")
    assert not [line for line in again.table(rows) if line not in said]
    found = again.differences(rows, "layer1", "part-faithfulness")
    largest = max(found, key=lambda image: abs(found[image]))
    assert f"{found[largest]:.2f}: number {largest.split('/')[-1]} of the test set" in said
    for name, layer in (("HiResCAM", "layer1"), ("Grad-CAM", "layer3"), ("Layer-CAM", "layer2"), ("Sobel", "")):
        cell = (name, layer, "part-faithfulness")
        own = [r["value"] for r in rows if (r["explainer"], r["layer"], r["metric"]) == cell]
        assert len(own) == 20 and f"{sum(own) / 20:.3f} [" in said


def test_the_sample_has_every_section_of_the_template():
    heads = [re.findall(r"^## .+$", (projects.FOLDER / f).read_text(encoding="utf-8"), re.MULTILINE) for f in
             ("report-template.md", "sample/report.md")]  # fmt: skip
    assert heads[0] == heads[1]


def test_links_of_the_pack_lead_somewhere():
    for page in projects.FOLDER.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}"
