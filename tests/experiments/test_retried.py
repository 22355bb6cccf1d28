"""A try that fares worse than the one before it takes nothing away."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from holicam.experiments import storage
from holicam.experiments.cli import wait_for_others
from holicam.experiments.failures import FailedError, record_path, recorded
from holicam.experiments.manifest import read_manifest
from holicam.experiments.part_file import keys_of, read_rows
from holicam.experiments.run import evaluate
from tests.helpers.runs import Fragile, Heard, parts_of, planned, run, shows


@pytest.fixture(scope="module")
def plan():
    return planned(images_per_unit=4)


@pytest.fixture
def fragile(monkeypatch):
    """Let the network fail on these images of a plan."""

    def fail(plan, *bad):
        each = [shows(plan, i) for i in bad]
        monkeypatch.setattr(Fragile, "when", staticmethod(lambda images: any(one(images) for one in each)))

    return fail


def tried(plan, out):
    with pytest.raises(FailedError):
        evaluate(plan, out, part=(0, 1), on="cpu", watch=Heard())
    there = {key for path in parts_of(out) for key in keys_of(read_rows(path))}
    lost = {one.image for one in recorded(out, read_manifest(out))}
    wanted = set(plan.keys())
    assert {key for key in wanted if key[1] not in lost} == there
    return sorted(plan.dataset.ids.index(image) for image in lost)


def test_rows_that_are_there_stay(plan, fragile, tmp_path):
    fragile(plan, 0)
    assert tried(plan, tmp_path) == [0]
    fragile(plan, 0, 1, 2)
    assert tried(plan, tmp_path) == [0]
    fragile(plan, 1)  # the one that was missing comes, though another one fails now
    assert run(plan, tmp_path)[0] == 2 and not recorded(tmp_path, read_manifest(tmp_path))
    fragile(plan)
    run(plan, tmp_path / "whole")
    one, other = storage.merge(tmp_path), storage.merge(tmp_path / "whole")
    assert keys_of(one) == keys_of(other)  # and the values but for rounding, since batches differ
    assert np.allclose(*(table["value"].to_numpy() for table in (one, other)), atol=1e-6)


def test_rows_of_other_code_are_not_mixed(plan, fragile, tmp_path, monkeypatch):
    from holicam.experiments import run as module

    fragile(plan, 0)
    tried(plan, tmp_path)
    before = [path.read_bytes() for path in parts_of(tmp_path)]
    monkeypatch.setattr(module, "note", lambda out: "f" * 64)
    fragile(plan, 1, 2)
    with pytest.raises(FailedError):
        evaluate(plan, tmp_path, part=(0, 1), on="cpu", watch=Heard())
    assert [path.read_bytes() for path in parts_of(tmp_path)] == before
    assert [one.image for one in recorded(tmp_path, read_manifest(tmp_path))] == [plan.dataset.ids[0]] * 2


def test_under_torchrun_a_record_of_the_run_before_is_waited_for(plan, fragile, tmp_path, monkeypatch):
    fragile(plan, 0)
    tried(plan, tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    for path in (record_path(tmp_path, unit.name) for unit in plan.units):
        os.utime(path, (time.time() - 60,) * 2)
    asked = []

    def others(seconds):  # they write their records while this process waits
        asked.append(seconds)
        for unit in plan.units:
            record_path(tmp_path, unit.name).touch()

    monkeypatch.setattr(time, "sleep", others)
    wait_for_others(tmp_path, time.time())
    assert len(asked) == 1
    wait_for_others(tmp_path, time.time())
    assert len(asked) == 1
