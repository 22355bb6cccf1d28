"""The page "Coming from ..." cannot lie: its cells run with the versions that it names, and their maps agree."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import VisionTransformer

import holicam as hc
from tools.ipynb import BOOK

TEXT = (BOOK / "coming-from.md").read_text(encoding="utf-8")
PACKAGES = {"pytorch-grad-cam": "grad-cam", "torchcam": "torchcam", "captum": "captum"}
TASKS = [task for task in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:] if "{grid-item-card}" in task]


def cells(task: str) -> dict[str, str]:
    """{whose: code} of one task."""
    return dict(re.findall(r"^:::\{grid-item-card\} (\S+)\n```python\n(.*?)^```$", task, re.MULTILINE | re.DOTALL))


CELLS = {(task.split("\n")[0], whose): code for task in TASKS for whose, code in cells(task).items()}


@pytest.fixture(scope="module")
def given():
    """What all cells share; 64 pixels, few channels."""
    torch.manual_seed(0)
    model = hc.toynets.ToyResNet50(width=4).eval()
    vit = VisionTransformer(64, 16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=10).eval()
    torch.nn.init.normal_(vit.heads.head.weight)
    batch = hc.toyland.batch(2, split="test", size=64)
    return {"model": model, "vit": vit, "images": batch.images, "rgb": batch.rgb[0].numpy()}


@pytest.fixture(scope="module")
def ran(given, tmp_path_factory):
    """What each cell leaves behind, run once, where it may write a picture."""
    done = {}

    def run(task, whose):
        if (task, whose) not in done:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp(whose))
                space = dict(given)
                exec(compile(CELLS[task, whose], f"{task}: {whose}", "exec"), space)
                space["written"] = [path.name for path in Path().iterdir()]
            done[task, whose] = space
        return done[task, whose]

    return run


def test_five_tasks_four_times():
    assert len(TASKS) == 5 and len(CELLS) == 20
    assert {whose for _, whose in CELLS} == {"holicam", *PACKAGES}


@pytest.mark.parametrize("name", PACKAGES)
def test_versions_are_those_installed(name):
    said = re.search(rf"\[{name}\]\([^)]*\) (\d+\.\d+\.\d+)", TEXT)[1]
    assert version(PACKAGES[name]) == said


@pytest.mark.parametrize(("task", "whose"), CELLS, ids=[f"{t}-{w}" for t, w in CELLS])
def test_a_cell_runs(task, whose, ran):
    space = ran(task, whose)
    if task == "A metric":
        values = space["values"]
        values = list(values.values()) if isinstance(values, dict) else values
        assert len(values) >= 2 and all(
            np.isfinite(np.asarray(v.detach() if hasattr(v, "detach") else v)).all() for v in values
        )
    elif task == "An overlay picture":
        assert space["written"] == ["overlay.png"]
    else:
        assert len(space["maps"]) == 2 if not isinstance(space["maps"], dict) else len(space["maps"]) in (2, 4)


def stretched(maps, size=(64, 64)):
    """Maps of whatever kind as (B, H, W) in [0, 1]."""
    maps = torch.as_tensor(maps).detach().squeeze(1) if np.ndim(maps) == 4 else torch.as_tensor(maps).detach()
    return hc.ops.normalise(hc.ops.upsample(maps.double(), size))


def alike(one, other):
    one, other = stretched(one), stretched(other)
    return min(
        float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("whose", PACKAGES)
def test_one_grad_cam_is_the_same_map_everywhere(whose, ran):
    task = "A Grad-CAM of one layer"
    ours = ran(task, "holicam")["maps"]
    assert ours.abs().amax() > 0 and ours.shape == (2, 64, 64)
    assert alike(ours, ran(task, whose)["maps"]) > 0.999


@pytest.mark.parametrize("whose", ["pytorch-grad-cam", "torchcam"])
def test_several_maps_are_the_same(whose, ran):
    task = "Several layers, several methods"
    ours, theirs = ran(task, "holicam")["maps"], ran(task, whose)["maps"]
    for name, label in (("grad-cam", "GradCAM"), ("layer-cam", "LayerCAM")):
        for i, layer in enumerate(("layer3", "layer4")):
            other = theirs[label][i] if whose == "torchcam" else theirs[label, layer]
            assert alike(ours[name][layer], other) > 0.999, (name, layer)


def test_captums_product_is_hires_cam_without_the_relu(ran, given):
    theirs = ran("Several layers, several methods", "captum")["maps"]["LayerGradientXActivation", "layer4"].sum(1)
    ours = hc.HiResCAM(relu=False)(given["model"], given["images"], "layer4", size="native")
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("whose", ["pytorch-grad-cam", "torchcam"])
def test_a_transformers_grad_cam_is_the_same(whose, ran):
    ours = ran("A transformer", "holicam")["maps"]
    assert ours.abs().amax() > 0
    assert alike(ours, ran("A transformer", whose)["maps"]) > 0.999


def test_captums_tokens_are_hires_cam(ran, given):
    theirs = ran("A transformer", "captum")["maps"].detach()
    layer = given["vit"].encoder.layers[-1].ln_1
    reshape = hc.capture.tokens_to_grid()
    ours = hc.HiResCAM()(given["vit"], given["images"], layer, size="native", reshape=reshape)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_our_cells_are_the_shortest():
    for task in TASKS:
        lines = {whose: len([x for x in code.splitlines() if x]) for whose, code in cells(task).items()}
        assert lines["holicam"] <= min(lines.values()) + 1, lines
