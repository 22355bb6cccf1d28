"""What only a GPU can say: every explainer and metric against the CPU, and how often a call makes the CPU wait.

`test_waits` asks the same of a pretend device, on any machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

import holicam as hc
from tests.helpers.explainers import explainer, images, maps, network
from tests.helpers.nets import TinyNet, random_images
from tests.helpers.waits import AT_MOST, LAYERS, given
from tools.gpu_parity import difference

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def plain_float32(monkeypatch):
    """Products of ten bits are no float32."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", hc.explainers)
def test_an_explainer_agrees(name):
    here = maps(name, network(name=name), images(), 1)
    there = maps(name, network(name=name).cuda(), images().cuda(), 1)
    assert there.is_cuda and difference(there, here) < 1e-7
    single = maps(name, network(name=name).float().cuda(), images().float().cuda(), 1).cpu()
    assert single.dtype == torch.float32
    assert (single - here).abs().mean() < 1e-2 * here.abs().mean()  # a mask or a rank may tip over


@pytest.mark.parametrize("name", hc.metrics.registry)
def test_a_metric_agrees(name):
    def double(x):
        return x.double() if x.is_floating_point() else x

    metric, arguments, options = given(name, TinyNet(classes=10).double(), double)
    expected = metric(*arguments, **options)
    metric, arguments, options = given(name, TinyNet(classes=10).double().cuda(), lambda x: double(x).cuda())
    found = metric(*arguments, **options)
    assert found.is_cuda and difference(found, expected) < (1e-4 if name == "road" else 1e-7)


def waits(run) -> list[str]:
    """What PyTorch says of operations that made the CPU wait; the first run loads kernels."""
    run()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return [str(w.message) for w in caught if "synchronizing" in str(w.message)]


@pytest.mark.parametrize("name", hc.explainers)
def test_an_explainer_waits_once_or_twice(name):
    net, x, ready = network(name=name).cuda(), images().cuda(), explainer(name)
    ready = hc.GroundTruth(ready.masks.cuda()) if name == "ground-truth" else ready
    said = waits(lambda: maps(name, net, x, ready=ready))
    solver = name in ("eigen-cam", "kpca-cam")  # it waits more than once
    assert len(said) <= AT_MOST[name] + (4 if solver else 1), said


def test_holistic_cam_waits_no_more_for_more_layers():
    net, x, ready = TinyNet().cuda(), random_images(2, 3, 24, 24).cuda(), hc.HolisticCAM(median=3, mean=5)
    few, many = (waits(lambda at=at: ready(net, x, at)) for at in (LAYERS[:1], LAYERS))
    assert len(many) <= len(few) <= 2, many


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_leaves_our_arithmetic_alone(dtype):
    """Counts of the median exceed what bfloat16 holds exactly: an index would leave its range."""
    net, x = TinyNet().cuda(), random_images(2, 3, 64, 64).cuda()
    for ready in (hc.HolisticCAM(), hc.GradCAM(), hc.EigenCAM()):
        plain = ready(net, x, "relu2", 1)
        with torch.autocast("cuda", dtype):
            found = ready(net, x, "relu2", 1)
        assert found.dtype == torch.float32 and bool(found.isfinite().all())
        assert torch.corrcoef(torch.stack([found.flatten(), plain.flatten()]))[0, 1] > 0.9


def test_the_chapter_that_takes_any_device_prints_the_same(tmp_path):
    """In a process of its own: a chapter's first line sets much."""
    chapter = next((ROOT / "book").glob("23-*.ipynb"))
    done = subprocess.run(
        [sys.executable, "-m", "tools.gpu_chapters", "--device", "cuda", "--results", tmp_path, chapter],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and "the same" in done.stdout, (tmp_path / "chapters-cuda.json").read_text()


def test_the_laboratory_runs_there():
    pytest.importorskip("matplotlib")
    made = hc.explore(TinyNet().cuda(), random_images(1, 3, 16, 16), methods=["grad-cam"], layers=["relu2"])
    assert made.content.has_random


def test_the_default_is_the_gpu(monkeypatch):
    monkeypatch.delenv("HOLICAM_DEVICE", raising=False)
    assert hc.edition.device().type == "cuda" and "HOLICAM_DEVICE" not in os.environ
