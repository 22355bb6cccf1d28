"""Example maps of a report are of the run's own pictures and networks, or the report says why there are none."""

from __future__ import annotations

import pytest
import torch

from holicam.experiments.manifest import read_manifest
from holicam.experiments.report_examples import examples
from tests.helpers import runs
from tests.helpers.commands import photo


@pytest.fixture
def done(tmp_path):
    """(folder of two photographs, folder of the run on them)."""
    for seed, name in enumerate("bc"):
        photo(tmp_path / f"photos/{name}.png", (32, 32), seed)
    given = {"name": "folder", "root": str(tmp_path / "photos")}
    more = {"explainers": ["grad-cam"], "target": "top-1", "metrics": ["average-drop"]}
    runs.run(runs.planned(dataset=given, **more), tmp_path / "run")
    return tmp_path / "photos", tmp_path / "run"


def test_nothing_is_shown_that_the_run_never_had(done, monkeypatch):
    """A picture was replaced; then the network has other weights; then another picture lies in the folder."""
    (photos, out), manifest = done, read_manifest(done[1])
    titles = [one.title.partition(":")[0] for one in examples(out, {**manifest, "holicam": "0.0.1"}, 2).shown]
    assert titles == ["tiny, b.png", "tiny, c.png"]
    photo(photos / "b.png", (32, 32), 7)
    found = examples(out, manifest, 2)
    assert [one.title.partition(":")[0] for one in found.shown] == ["tiny, c.png"]
    assert found.said == "Not among the examples: b.png is another picture than when its rows were made."

    def trained_on():
        net = tiny()
        torch.nn.init.constant_(net.fc.bias, 3.0)
        return net

    tiny = runs.tiny
    monkeypatch.setattr(runs, "tiny", trained_on)
    found = examples(out, manifest, 2)
    assert not found.shown and "they would not be those of this run (weights.tiny: " in found.said
    monkeypatch.setattr(runs, "tiny", tiny)
    photo(photos / "a.png", (32, 32), 3)
    found = examples(out, manifest, 2)
    assert not found.shown and "they would not be those of this run (ids: " in found.said
