"""holicam.explain: explainers by name; and what `import holicam` loads."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nets import TinyNet, random_images

import holicam as hc
from holicam.explain import UnknownExplainerError

NAMES = ["activation-sum", "cam", "grad-cam", "grad-cam++", "xgrad-cam", "layer-cam", "hires-cam",
         "cameras", "holistic-cam"]
SINGLE = NAMES[:-2]


def test_every_name_gives_a_class_with_defaults():
    assert list(hc.explainers) == NAMES and len(hc.explainers) == len(NAMES)
    for kind in hc.explainers.values():
        assert isinstance(kind, type) and repr(kind()).startswith(kind.__name__)
    assert hc.explainers["grad-cam"] is hc.GradCAM
    assert hc.explainers["holistic-cam"] is hc.HolisticCAM
    assert "grad-cam" in hc.explainers and "gradcam" not in hc.explainers
    assert "grad-cam++" in repr(hc.explainers)


@pytest.mark.parametrize(("wrong", "close"), [("gradcam", "grad-cam"), ("Holistic", "holistic-cam"),
                                              ("xyz", "activation-sum")])
def test_unknown_names_list_close_ones(wrong, close):
    for ask in (hc.explainers.__getitem__, hc.info):
        with pytest.raises(UnknownExplainerError) as caught:
            ask(wrong)
        assert str(caught.value).startswith(f"there is no explainer {wrong!r}")
        assert close in str(caught.value)
    assert hc.explainers.get(wrong) is None


def test_info():
    assert hc.info("grad-cam").cost == "1 F + 1 B" and hc.info("cam").cost == "1 F"
    scales = range(224, 925, 100)
    base_units = sum((s / 224) ** 2 for s in scales)
    for name in ("holistic-cam", "cameras"):
        assert hc.info(name).forwards == pytest.approx(base_units, abs=0.05)
    for name in NAMES:
        row = hc.info(name)
        assert row.name == name and row.family and row.needs and row.paper


def test_many_from_one_pass(monkeypatch):
    net, images, calls = TinyNet(), random_images(2, 3, 8, 8), []
    net.register_forward_hook(lambda *_: calls.append("forward"))
    original = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad",
                        lambda *a, **k: calls.append("backward") or original(*a, **k))
    chosen = [name for name in SINGLE if name != "cam"]
    maps = hc.explain_many(chosen, net, images, ["relu0", "relu1", "relu2"])
    assert calls == ["forward", "backward"]
    assert list(maps) == chosen
    for name in chosen:
        alone = hc.explainers[name]()(net, images, ["relu0", "relu1", "relu2"])
        for layer in alone:
            assert torch.equal(maps[name][layer], alone[layer])


def test_names_explainers_and_labels_mix():
    net, images = TinyNet(), random_images(2, 3, 8, 8)
    mine = hc.GradCAMpp(eps=0.5)
    maps = hc.explain_many(["grad-cam", mine], net, images, "relu1", 3)
    assert list(maps) == ["grad-cam", mine] and maps[mine].shape == (2, 8, 8)
    labelled = hc.explain_many({"soft": mine, "plain": "grad-cam"}, net, images, "relu1", 3)
    assert torch.equal(labelled["soft"], maps[mine])
    assert torch.equal(labelled["plain"], maps["grad-cam"])
    alone = hc.explain_many("grad-cam", net, images, "relu1", 3)
    assert torch.equal(alone["grad-cam"], maps["grad-cam"])


def test_others_run_after_with_the_same_target():
    seen = []

    class Other:
        def __call__(self, model, images, layers, target, *, size, reshape):
            seen.append((layers, target, size))
            return "their map"

    net, images = TinyNet(), random_images(2, 3, 8, 8)
    maps = hc.explain_many({"other": Other(), "grad": "grad-cam"}, net, images, "relu1",
                           size="native")
    assert list(maps) == ["other", "grad"] and maps["other"] == "their map"
    (layers, target, size), = seen
    assert layers == "relu1" and size == "native"
    assert target.tolist() == net(images).argmax(1).tolist()


def test_multi_scale_explainers_take_part():
    net, images = TinyNet(), random_images(1, 3, 16, 16)
    maps = hc.explain_many(["layer-cam", "cameras", "holistic-cam"], net, images, ["relu1"])
    assert {m["relu1"].shape for m in maps.values()} == {(1, 16, 16)}


def test_importing_the_package_loads_no_heavy_module():
    code = """
import sys, holicam as hc
before = set(sys.modules)
hc.GradCAM, hc.capture, hc.cam, hc.explainers, hc.explain_many
heavy = ["torchvision", "cv2", "matplotlib", "IPython", "safetensors", "ipywidgets"]
print("torch" in before, [name for name in heavy if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=Path(hc.__file__).parents[1])
    assert out.stdout.split() == ["False", "[]"]


def test_setup_stays_the_function_when_its_module_is_imported(monkeypatch):
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "holicam.setup", raising=False)
        importlib.import_module("holicam.setup")
        assert callable(hc.setup) and hc.setup.__name__ == "setup"


def test_names_of_the_package():
    for name in dir(hc):
        assert getattr(hc, name) is not None or name.startswith("__")
    assert hc.__version__.count(".") == 2 and "GradCAM" in dir(hc)
    with pytest.raises(AttributeError, match="no attribute 'GradCam'"):
        hc.GradCam  # noqa: B018
