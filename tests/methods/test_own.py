"""Explainers of one's own: fifteen lines, by place wherever a name stands, and what is said of those that are none."""

from __future__ import annotations

import pytest
import torch

import holicam as hc
from holicam.core.own_code import OwnCodeError
from tests.helpers.nets import TinyNet, random_images

MEDIAN = """
    from dataclasses import dataclass
    import holicam as hc

    @dataclass(frozen=True, kw_only=True)
    class MedianCAM(hc.WeightedCAM):
        power: float = 1.0

        def weights(self, A, G):
            return G.flatten(2).median(2).values[:, :, None, None] ** self.power

    class Red(hc.InputExplainer):
        pass
"""


@pytest.fixture
def net():
    torch.manual_seed(0)
    return TinyNet().double().eval(), random_images(2, 3, 24, 16).double()


def test_by_place_as_by_name(own, net):
    own("by_place.py", MEDIAN)
    kind = hc.explainers["by_place:MedianCAM"]
    assert "by_place:MedianCAM" in hc.explainers and "by_place:MedianCAM" not in list(hc.explainers)
    maps = hc.explain(*net, "by_place:MedianCAM", layers="relu1")
    assert maps.shape == (2, 24, 16) and maps.dtype == torch.float64
    assert torch.equal(maps, kind(power=1.0)(*net, "relu1"))
    both = hc.explain_many(["by_place:MedianCAM", "grad-cam"], *net, layers="relu1")
    assert torch.equal(both["by_place:MedianCAM"], maps)
    assert hc.info("by_place:MedianCAM").family == "your own"


def test_against_the_obvious_loops(own, net):
    own("loops.py", MEDIAN)
    model, images = net
    seen = hc.capture.capture(model, images, ["relu1"])
    A, G = seen.A["relu1"], seen.G["relu1"]
    slow = torch.zeros(A.shape[0], *A.shape[2:], dtype=A.dtype)
    for b in range(A.shape[0]):
        for k in range(A.shape[1]):
            slow[b] += sorted(G[b, k].flatten().tolist())[(G[b, k].numel() - 1) // 2] * A[b, k]
    fast = hc.explain(model, images, "loops:MedianCAM", layers="relu1", size="native")
    assert torch.allclose(fast, slow.clamp(min=0), atol=1e-12)


WRONG = {
    "Plain": ("class Plain: pass", "must be a class that inherits from hc.WeightedCAM.*; it is the class Plain"),
    "made": ("made = hc.GradCAM()", "made is a GradCAM with its settings: name the class"),
    "number": ("number = 3", "it is a int"),
    "Bare": ("class Bare(hc.Explainer):\n    def maps(self, call): return {}", "write @dataclass.*above class Bare"),
    "Forgot": (
        "class Forgot(hc.WeightedCAM):\n    power: float = 2.0\n    def weights(self, *a): return a",
        "power is no setting yet: write @dataclass",
    ),
    "Empty": ("class Empty(hc.WeightedCAM): pass", r"must define weights\(self, A, G\)"),
    "NoMaps": (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass NoMaps(hc.Explainer): pass",
        r"must define maps\(self, call\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_explainer(own, name):
    text, said = WRONG[name]
    own(f"no_{name.lower()}.py", f"import holicam as hc\n{text}\n")
    with pytest.raises(OwnCodeError, match=said):
        hc.explainers[f"no_{name.lower()}:{name}"]


@pytest.mark.parametrize(
    ("returned", "said"),
    {
        "G.mean((2, 3))": r"weights must return a tensor \(B, C, 1, 1\) or \(B, C, h, w\), here",
        "3.0": "got float",
        "G * float('nan')": "weights holds NaN or infinite values: guard its divisions",
    }.items(),
)
def test_weights_that_are_none(net, returned, said):
    space = {"hc": hc}
    exec(f"class Wrong(hc.WeightedCAM):\n def weights(self, A, G): return {returned}", space)
    with pytest.raises(ValueError, match=said):
        space["Wrong"]()(*net, "relu1")
