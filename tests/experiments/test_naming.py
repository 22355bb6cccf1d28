"""What names an explainer in rows: its class and what differs from its defaults, so that nothing else is a change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

import holicam as hc
from holicam.experiments import results as stored
from holicam.experiments.config import from_table
from holicam.experiments.manifest import setting_changes
from holicam.experiments.naming import kinds_of, named, parsed, reduced
from holicam.experiments.storage import merge
from holicam.experiments.work import image_seed
from holicam.methods.cams import gradcam
from holicam.models import data_folder
from tests.helpers.runs import TOML, planned, run

RESULTS = data_folder() / "results"
NAMES = sorted(path.stem for path in RESULTS.glob("*.toml") if path.with_suffix(".json").exists())


@pytest.mark.parametrize(
    "explainer",
    [
        hc.GradCAM(),
        hc.GradCAMpp(eps=0.0),
        hc.HolisticCAM(preset="paper"),
        hc.CAMERAS(scales=(1.0, 2.0)),
        hc.UCAG(base=hc.SmoothGrad(samples=3), patches=2),
        hc.PCAM(preset="reference", chunk=3),
    ],
)
def test_a_name_and_the_repr_of_older_versions_are_one(explainer):
    kinds = kinds_of([explainer])
    assert reduced(named(explainer), kinds) == reduced(repr(explainer), kinds) == parsed(named(explainer))
    assert reduced(named(explainer), {}) == parsed(named(explainer))  # of a class that is not there
    assert len(named(explainer)) <= len(repr(explainer))


def test_names_are_short_and_tell_what_differs():
    assert named(hc.GradCAM()) == "GradCAM()" and named(hc.RISE(chunk=3)) == "RISE()"
    assert named(hc.UCAG(base=hc.GradCAM(relu=False), patches=2)) == "UCAG(base=GradCAM(relu=False), patches=2)"
    assert named(hc.GradCAM(relu=False)) != named(hc.GradCAM())
    assert parsed("GradCAM(eps=nan") == "GradCAM(eps=nan"  # what is no expression stays text


def test_noise_does_not_follow_the_chunk():
    seeds = {image_seed("image", hc.RISE(chunk=n), "holistic-cam") for n in (32, 64)}
    assert len(seeds) == 1
    assert image_seed("image", hc.RISE(masks=20), "holistic-cam") not in seeds
    assert image_seed("image", hc.RISE(), "ucag") not in seeds and image_seed("other", hc.RISE(), "rise") not in seeds


def test_what_a_setting_became_is_noticed():
    """A name of an older version that says another number, or a field that is gone, is another explainer."""
    table = {"dataset": "toyland", "networks": ["toy-resnet50"], "explainers": ["grad-cam"]}
    config = from_table(table)
    plain = json.loads(json.dumps(config.plain()))
    for said, same in (
        ("GradCAM(relu=True, score='logit')", True),
        ("GradCAM(relu=False, score='logit')", False),
        ("GradCAM(relu=True, score='logit', gone=1)", False),
        ("LayerCAM(relu=True, score='logit')", False),
        ("GradCAM(relu=3)", False),
    ):
        old = {**plain, "explainers": {"grad-cam": [said, None]}}
        assert (setting_changes(old, config) == []) == same, said


@dataclass(frozen=True)
class GradCAM(gradcam.GradCAM):
    """Grad-CAM with a field that changes nothing at its default."""

    sharper: float = field(default=1.0)


@pytest.mark.parametrize("name", [name for name in NAMES if "grad-cam" in (RESULTS / f"{name}.toml").read_text()])
def test_a_new_field_leaves_stored_rows_valid(monkeypatch, name):
    """With a harmless default it renames nothing; set to something else it does."""
    before = stored.load(name)
    monkeypatch.setattr(gradcam, "GradCAM", GradCAM)
    assert hc.explainers["grad-cam"]() == GradCAM() and "sharper" in repr(GradCAM())
    again = stored.load(name)
    assert again.images == before.images and again.values.keys() == before.values.keys()


def test_a_new_field_that_is_set_is_another_explainer(monkeypatch, tmp_path):
    run(planned(), tmp_path)
    merge(tmp_path)
    (tmp_path / "rows.json").write_bytes((tmp_path / "manifest.json").read_bytes())
    monkeypatch.setattr(gradcam, "GradCAM", GradCAM)
    path = tmp_path / "rows.toml"
    path.write_text(TOML, encoding="utf-8")
    assert stored.load("rows", tmp_path).images
    path.write_text(TOML.replace('"grad-cam"', '{name = "grad-cam", sharper = 2.0}', 1), encoding="utf-8")
    with pytest.raises(stored.StaleRowsError, match=r"explainers.grad-cam.*sharper=2.0"):
        stored.load("rows", tmp_path)
