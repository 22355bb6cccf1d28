"""holicam.methods.registry: explainers by name; and what `import holicam` loads."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import holicam as hc
from holicam.methods.registry import UnknownExplainerError
from holicam.models.toy import ToyResNet50
from tests.helpers.nets import TinyNet, random_images

NAMES = """
    cam activation-sum grad-cam grad-cam++ xgrad-cam layer-cam layer-cam-fused zoom-cam hires-cam eigen-cam kpca-cam
    w-grad-cam
    normgrad smooth-grad-cam++ iia msg-cam cameras holistic-cam
    pcam+ pcam- pcam+- cam+ cam- cam+- ucag finer-cam
    score-cam ablation-cam ss-cam is-cam rise occlusion extremal-perturbation
    gradient input-x-gradient integrated-gradients smoothgrad guided-backprop deconvnet fullgrad legrad
    lrp c-lrp sglrp relevance-cam mwp c-mwp rap rsp agf
    random center sobel ground-truth
""".split()
ONE_PASS = NAMES[1:13]  # CAM also reads the network's head and takes its last layer only
JOINT = ["layer-cam-fused", "zoom-cam"]
STAGES = ["layer1", "layer2", "layer3", "layer4"]


@pytest.fixture(scope="module")
def resnet():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ToyResNet50(width=2).double().eval(), random_images(2, 3, 48, 32).double()


@pytest.fixture
def calls(resnet, monkeypatch):
    """Collects "forward" of that network, and "backward"."""
    seen, original = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: seen.append("backward") or original(*a, **k))
    handle = resnet[0].register_forward_hook(lambda *_: seen.append("forward"))
    yield seen
    handle.remove()


def equal(one, other):
    if isinstance(one, dict):
        return list(one) == list(other) and all(torch.equal(one[k], other[k]) for k in one)
    return torch.equal(one, other)


def test_every_name_gives_a_class_with_defaults():
    new, gone = set(hc.explainers) - set(NAMES), set(NAMES) - set(hc.explainers)
    assert not new and not gone, f"enter {new or 'nothing'} in NAMES of this file, delete {gone or 'nothing'} there"
    assert list(hc.explainers) == NAMES and len(hc.explainers) == len(NAMES), "NAMES has the order of methods/table.py"
    assert hc.explainers["grad-cam"] is hc.GradCAM
    assert hc.explainers["holistic-cam"] is hc.HolisticCAM
    assert "grad-cam" in hc.explainers and "gradcam" not in hc.explainers
    assert "grad-cam++" in repr(hc.explainers)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_defaults_and_shows_them(name):
    kind = hc.explainers[name]
    explainer = kind(torch.ones(1, 4, 4)) if name == "ground-truth" else kind()
    assert isinstance(kind, type) and repr(explainer).startswith(kind.__name__)
    assert explainer.takes in ("layer", "joint", "input")
    assert (explainer.takes == "joint") == (name in JOINT or name.startswith("pcam"))


@pytest.mark.parametrize(
    ("wrong", "close"), [("gradcam", "grad-cam"), ("Holistic", "holistic-cam"), ("xyz", "activation-sum")]
)
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


def test_eleven_methods_on_four_layers_from_one_pass(resnet, calls):
    """Grad-CAM and its kin, Eigen-CAM, NormGrad and the joint ones."""
    net, images = resnet
    maps = hc.explain_many(ONE_PASS, net, images, STAGES)
    assert calls == ["forward", "backward"] and list(maps) == ONE_PASS
    for name in ONE_PASS:
        assert equal(maps[name], hc.explainers[name]()(net, images, STAGES))
        assert isinstance(maps[name], torch.Tensor) == (name in JOINT)


@pytest.mark.parametrize(
    ("more", "forwards", "backwards"),
    [
        (["cameras", "holistic-cam"], 8, 8),
        (["iia"], 11, 11),
        (["smooth-grad-cam++"], 5, 5),
        (["cameras", "holistic-cam", "iia", "smooth-grad-cam++"], 22, 22),
    ],
)
def test_more_views_are_more_passes_and_none_is_paid_twice(resnet, calls, more, forwards, backwards):
    """8 scales, 10 dimmed and 4 noisy copies; the image itself serves all of them."""
    net, images = resnet
    maps = hc.explain_many([*more, *ONE_PASS], net, images, STAGES)
    assert calls.count("forward") == forwards and calls.count("backward") == backwards
    for name in more:
        assert equal(maps[name], hc.explainers[name]()(net, images, STAGES))


def test_msg_cam_pays_for_its_masks_only(resnet, calls):
    net, images = resnet
    maps = hc.explain_many(["cameras", "msg-cam"], net, images, STAGES[2:])
    masked = -(-2 * 33 // 64)  # two images, 32 groups and the blurred image, 64 at a time
    assert calls.count("forward") == 8 + 2 * masked and calls.count("backward") == 8
    assert equal(maps["msg-cam"], hc.MSGCAM()(net, images, STAGES[2:]))


def test_the_cost_in_the_registry_is_what_is_run(resnet, calls):
    """For one image, where a pass at scale r is worth r squared."""
    net, images = resnet
    spent = []
    handle = net.register_forward_pre_hook(lambda module, inputs: spent.append(inputs[0].numel() / images[:1].numel()))
    for name in NAMES[1 : NAMES.index("pcam+")]:
        spent.clear()
        calls.clear()
        explainer = hc.MSGCAM(groups=32) if name == "msg-cam" else hc.explainers[name]()
        explainer(net, images[:1], "layer3")
        row = hc.info(name)
        assert sum(spent) == pytest.approx(row.forwards, rel=0.03), name
        if row.forwards < 60:
            assert calls.count("backward") == row.backwards, name
    handle.remove()


def test_one_layer_of_several_explainers(resnet, calls):
    net, images = resnet
    maps = hc.explain_many(["cam", "grad-cam", "zoom-cam"], net, images, "layer4")
    assert calls == ["forward", "backward"]
    assert all(m.shape == (2, 48, 32) for m in maps.values())


def test_default_layers_of_each(resnet, calls):
    """Without layers each takes its own: the last one, or the list of a joint method."""
    net, images = resnet
    maps = hc.explain_many(["grad-cam", "layer-cam-fused", "gradient"], net, images)
    assert torch.equal(maps["grad-cam"], hc.GradCAM()(net, images, "layer4"))
    assert torch.equal(maps["layer-cam-fused"], hc.LayerCAMFused()(net, images, ["relu", *STAGES]))


def test_explainers_of_the_input_are_called_without_layers(resnet):
    net, images = resnet
    maps = hc.explain_many(["grad-cam", "gradient"], net, images, STAGES, 3)
    assert isinstance(maps["grad-cam"], dict) and maps["gradient"].shape == (2, 48, 32)
    assert torch.equal(maps["gradient"], hc.Gradient()(net, images, None, 3))


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
    maps = hc.explain_many({"other": Other(), "grad": "grad-cam"}, net, images, "relu1", size="native")
    assert list(maps) == ["other", "grad"] and maps["other"] == "their map"
    ((layers, target, size),) = seen
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
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(hc.__file__).parents[1]
    )
    assert out.stdout.split() == ["False", "[]"]


def test_setup_stays_the_function_when_its_module_is_imported(monkeypatch):
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "holicam.notebook.setup", raising=False)
        importlib.import_module("holicam.notebook.setup")
        assert callable(hc.setup) and hc.setup.__name__ == "setup"


def test_names_of_the_package():
    for name in dir(hc):
        assert getattr(hc, name) is not None or name.startswith("__")
    assert hc.__version__.count(".") == 2 and "GradCAM" in dir(hc)
    with pytest.raises(AttributeError, match="no attribute 'GradCam'"):
        hc.GradCam  # noqa: B018


def test_baselines_of_lists_label_their_maps():
    baseline = hc.metrics.Constant([0.0, 0.0, 0.0])
    found = hc.explain_many(
        [hc.IntegratedGradients(steps=2, baseline=baseline)], TinyNet(), random_images(1, 3, 16, 16), None, 0
    )
    assert len(found) == 1 and baseline.values == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="values must hold one number"):
        hc.metrics.Constant("grey")


def test_an_explainer_that_cannot_be_a_label_is_to_be_named():
    @dataclass(frozen=True)
    class Mine:
        numbers: list

        def __call__(self, model, images, layers=None, target=None, **rest):
            return images[:, 0]

    with pytest.raises(TypeError, match="name it"):
        hc.explain_many([Mine([1])], TinyNet(), random_images(1, 3, 16, 16), None, 0)
