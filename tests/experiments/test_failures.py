"""What fails in a run is named, recorded and passed over; the rest runs, and the next run tries it again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
import torch

from holicam.core.explainer import InputExplainer
from holicam.experiments import report
from holicam.experiments import storage as parts
from holicam.experiments.config import ConfigError
from holicam.experiments.failures import FailedError, recorded, summary
from holicam.experiments.joining import IncompleteError
from holicam.experiments.manifest import read_manifest
from holicam.experiments.part_file import keys_of, read_rows
from holicam.experiments.run import evaluate
from holicam.experiments.trying import DeviceLostError, attempt
from holicam.methods.controls import SobelMap
from holicam.models import LayerNotFoundError
from tests.helpers.runs import Fragile, Heard, parts_of, planned, run, same_run, shows


@pytest.fixture
def truth(whole):
    return whole[1]


@pytest.fixture
def fragile(plan, monkeypatch):
    """Let the network fail: fragile(when, error)."""

    def fail(when, error=None):
        monkeypatch.setattr(Fragile, "when", staticmethod(when))
        monkeypatch.setattr(Fragile, "error", error or RuntimeError("one image is bad"))

    return fail


def failing(plan, out) -> FailedError:
    with pytest.raises(FailedError) as caught:
        evaluate(plan, out, part=(0, 1), on="cpu", watch=Heard())
    return caught.value


def test_one_image_that_fails_costs_its_own_rows(plan, truth, tmp_path, fragile):
    """Unit, image, network, explainer and reason are said; the others' rows are there; the next run mends it."""
    bad = plan.dataset.ids[1]
    fragile(shows(plan, 1))
    error = failing(plan, tmp_path)
    assert {(one.image, one.network) for one in error.failures} == {(bad, "tiny")}
    assert [(one.unit, one.explainer) for one in error.failures] == [
        ("tiny--cams--0000000", "grad-cam"),
        ("tiny--gradient--0000000", "gradient"),
    ]
    for word in (bad, "tiny--cams--0000000", "grad-cam failed on image", "with tiny", "one image is bad"):
        assert word in str(error)
    there = {key for path in parts_of(tmp_path) for key in keys_of(read_rows(path))}
    wanted = set(plan.keys())
    assert wanted - there == {key for key in wanted if key[1] == bad} and len(there) == 6
    told = json.loads((tmp_path / "failures" / "tiny--cams--0000000.json").read_text())
    assert told["failures"][0]["image"] == bad and told["failures"][0]["reason"].endswith("one image is bad")
    assert recorded(tmp_path, read_manifest(tmp_path)) == list(error.failures)
    assert failing(plan, tmp_path).failures == error.failures  # it is tried again, and nothing else is
    fragile(lambda images: False)
    assert run(plan, tmp_path)[0] == 2 and run(plan, tmp_path)[0] == 0
    assert same_run(parts.merge(tmp_path), truth) and not list((tmp_path / "failures").iterdir())


def test_merge_says_which_rows_are_missing_because_of_what(plan, truth, tmp_path, fragile):
    fragile(shows(plan, 1))
    failing(plan, tmp_path)
    message = "2 of 8 rows are missing.*2 are missing because of failures"
    with pytest.raises(IncompleteError, match=message) as caught:
        parts.merge(tmp_path)
    for word in (
        plan.dataset.ids[1],
        "grad-cam",
        "one image is bad",
        "tiny--cams--0000000",
        f"`python -m holicam evaluate {tmp_path}` tries",
        f"`python -m holicam merge {tmp_path} --partial`",
    ):
        assert word in str(caught.value), word
    assert "bad files" not in str(caught.value)
    assert parts.merge(tmp_path, partial=True).num_rows == 6
    for path in report.write(tmp_path):
        said = path.read_text()
        assert path.suffix == ".csv" or ("2 rows are left out" in said and "3 images" in said)
    parts_of(tmp_path)[0].unlink()
    with pytest.raises(IncompleteError, match="3 of 8 rows.*computes what is missing"):
        parts.merge(tmp_path, partial=True)


@dataclass(frozen=True)
class Picky(InputExplainer):
    """Edges, but an error where a batch holds an image with this number at its first pixel."""

    first: float = 0.0

    def maps(self, call):
        if bool((call.images[:, 0, 0, 0] == self.first).any()):
            raise KeyError("no such place")
        return SobelMap().maps(call)


def test_one_explainer_that_fails_leaves_the_others(tmp_path):
    """Also inside a unit: of several explainers that share passes, and of one that fails on all images."""
    plan = planned(explainers=["grad-cam", "grad-cam++", "sobel"])
    bad = plan.dataset[3]
    plan.config.__dict__["made"] = {**plan.config.made, "sobel": Picky(first=float(bad.image[0, 0, 0]))}
    last = next(unit for unit in plan.units if unit.labels == ("sobel",) and unit.start == 2)
    found, failed = attempt(plan.work(last, "r", "cpu"), print)
    assert [row["image"] for row in found] == [plan.dataset.ids[2]] and [one.image for one in failed] == [bad.id]

    class Never(type(plan.config.made["grad-cam++"])):
        def weights(self, *args, **kwargs):
            raise ValueError("it never works")

        __call__ = weights

    plan.config.__dict__["made"] = {**plan.config.made, "grad-cam++": Never()}
    cams = next(u for u in plan.units if u.group == "cams")
    found, failed = attempt(plan.work(cams, "r", "cpu"), print)
    assert {row["explainer"] for row in found} == {"grad-cam"} and len(found) == 2
    assert {(one.explainer, one.image) for one in failed} == {("grad-cam++", image) for image in cams.ids}


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 9 bytes"
        ),
    ],
)
def test_out_of_memory_asks_for_a_smaller_batch(plan, truth, tmp_path, fragile, error):
    """One image at a time fits: the run does it, and says what would be faster. Nothing fits: it is a failure."""
    fragile(lambda images: len(images) > 1, error)
    done, heard = run(planned(), tmp_path / "small")
    assert done == 4 and len(heard.said) == 4
    for said in heard.said:
        assert "out of memory; go on with a smaller --batch-size than 64" in said and "it worked" in said
    table = parts.merge(tmp_path / "small")
    assert table["value"].to_pylist() == pytest.approx(truth["value"].to_pylist(), abs=1e-5, nan_ok=True)
    assert run(planned(batch_size=1), tmp_path / "one")[1].said == []
    fragile(lambda images: True, error)
    failures = failing(plan, tmp_path / "none").failures
    assert len(failures) == 8 and all("smaller --batch-size than 64" in one.reason for one in failures)
    fragile(lambda images: False)
    run(planned(batch_size=2), tmp_path / "none")
    assert same_run(parts.merge(tmp_path / "none"), truth)


def test_what_every_unit_would_say_ends_the_run_at_once(plan, tmp_path, fragile):
    with pytest.raises(LayerNotFoundError, match="relu7"):
        planned(layers=["relu7"])
    fragile(lambda images: True, ImportError("it needs pycocotools"))
    with pytest.raises(ImportError, match="pycocotools"):
        evaluate(plan, tmp_path, part=(0, 1))
    fragile(lambda images: True, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        evaluate(plan, tmp_path, part=(0, 1))
    fragile(lambda images: True, ConfigError("a setting"))
    with pytest.raises(ConfigError, match="a setting"):
        evaluate(plan, tmp_path, part=(0, 1))
    assert not (tmp_path / "failures").exists() and not parts_of(tmp_path)


def test_a_gpu_that_is_lost_ends_the_run(plan, monkeypatch):
    from holicam.experiments import trying

    def lost(*args):
        raise RuntimeError("CUDA error: device-side assert triggered\nmore lines")

    monkeypatch.setattr(trying, "rows", lost)
    monkeypatch.setattr(torch.cuda, "empty_cache", lost)
    with pytest.raises(DeviceLostError, match="cuda:0 cannot compute any more.*device-side assert.*start again"):
        attempt(replace(plan.work(plan.units[0], "r", "cpu"), device="cuda:0"), print)


def test_a_failure_never_takes_the_place_of_a_whole_part(plan, truth, tmp_path, fragile, monkeypatch):
    """Two processes at the same unit: one runs out of memory while the other finishes."""
    from holicam.experiments import run as module

    run(plan, tmp_path / "other")
    real, name = module.attempt, parts_of(tmp_path / "other")[0].name

    def slow(*args):
        found = real(*args)
        if args[0].unit.name + ".parquet" == name:
            (tmp_path / "run" / "parts" / name).write_bytes((tmp_path / "other" / "parts" / name).read_bytes())
        return found

    monkeypatch.setattr(module, "attempt", slow)
    fragile(shows(plan, 0))
    error = failing(plan, tmp_path / "run")
    assert {one.unit for one in error.failures} == {"tiny--gradient--0000000"}
    assert len(read_rows(tmp_path / "run" / "parts" / name)) == 2


def test_the_failures_of_another_run_are_not_this_one_s(plan, tmp_path, fragile):
    fragile(lambda images: True)
    failing(plan, tmp_path)
    manifest = read_manifest(tmp_path)
    assert len(recorded(tmp_path, manifest)) == 8
    paths = sorted((tmp_path / "failures").iterdir())
    paths[0].write_text(paths[0].read_text().replace(manifest["run"], "deadbeef0000"))
    paths[1].write_text("{")
    paths[2].write_text("[]")
    assert len(recorded(tmp_path, manifest)) == 2
    many = [replace(recorded(tmp_path, manifest)[0], image=str(i)) for i in range(9)]
    assert len(summary(many)) == 9 and summary(many, 3)[3:] == ["and 6 more such images"]
