"""holicam.core.outputs: which numbers are the logits, who may choose, and probabilities that pose as logits."""

from __future__ import annotations

import warnings
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import holicam as hc
from holicam.core.outputs import FromOutput, ProbabilityWarning, Whole, logits_of
from holicam.metrics.sanity import randomise
from tests.helpers.explainers import CONTROLS, NEEDS_A_CLASS, OF_CONVOLUTIONS, explainer, layers
from tests.helpers.nets import TinyNet, random_images

SIZE = (16, 24)
TWO = namedtuple("TWO", "logits aux_logits")


class Returns(TinyNet):
    """A TinyNet that makes something else of its features (B, 8) and logits (B, 5)."""

    def __init__(self, make, classes: int = 5) -> None:
        super().__init__(classes=classes)
        self.make = make

    def forward(self, images: Tensor) -> object:
        x = images
        for i in range(3):
            for kind in ("conv", "bn", "relu"):
                x = getattr(self, f"{kind}{i}")(x)
        f = x.mean((2, 3))
        return self.make(x, f, self.fc(f))


def images(batch: int = 2, seed: int = 0) -> Tensor:
    return random_images(batch, 3, *SIZE, seed=seed)


A, F, Z = torch.zeros(2, 8, 4, 4), torch.zeros(2, 8), torch.arange(10.0).view(2, 5)
PLAIN = {
    "tensor": Z,
    "tuple with words": (Z, "aux"),
    "list of one": [Z],
    "dict": {"logits": Z, "other": F},
    "object": SimpleNamespace(logits=Z, hidden=F),
    "named tuple": TWO(Z, Z + 1),
    "loss first": (torch.tensor(0.3), Z),
    "logits and maps": (Z, A),
    "maps and logits": (A, Z),
    "labels too": (Z.argmax(1), Z),
    "one key": {"out": Z},
    "mapping with maps": {"features": A, "scores": Z},
    "with batch-free": (torch.zeros(7, 8), Z),
}
AMBIGUOUS = {
    "features first": (F, Z),
    "logits first": (Z, F),
    "two heads": {"age": Z[:, :1], "sex": Z[:, :2]},
    "list": [Z, Z],
    "a score beside": (Z[:, 0], Z),
    "a mean of the maps": (A, F),
    "pooled tokens": {"t": A.flatten(2).mT, "p": F},
    "two maps": {"out": A, "aux": A},
    "no tensor": {"a": 1},
    "nothing": None,
    "no logits": SimpleNamespace(logits=None),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_can_be_meant_in_one_way_is_taken(name):
    assert torch.equal(logits_of(PLAIN[name], 2), Z)
    assert logits_of(PLAIN[name], 2, FromOutput(lambda out: out)).output is PLAIN[name]


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_cannot_is_refused_or_left_to_a_callable(name):
    output = AMBIGUOUS[name]
    found = logits_of(output, 2)
    assert isinstance(found, Whole) and found.output is output
    for target in (None, 3, [0, 1]):
        with pytest.raises((ValueError, TypeError), match="logits"):
            hc.ops.resolve_target(found, target)
    assert hc.ops.select_score(found, lambda out: Z[:, 1] if out is output else None).tolist() == [1, 6]


def test_the_message_holds_a_wrapper_that_works():
    net = Returns(lambda x, f, z: (f, z))
    with pytest.raises(ValueError, match=r"\[0\] \(2, 8\), \[1\] \(2, 5\)") as caught:
        hc.GradCAM()(net, images(), "relu2", 3)
    code = str(caught.value).split("\n", 1)
    assert len(code[1].splitlines()) == 3 and "\n" not in code[0]
    scope = {"torch": torch}
    exec(code[1], scope)
    wrapped = hc.GradCAM()(scope["Logits"](net).eval(), images(), "net.relu2", 3)
    assert torch.equal(wrapped, hc.GradCAM()(TinyNet(), images(), "relu2", 3))
    keyed = Returns(lambda x, f, z: {"embedding": f, "scores": z})
    with pytest.raises(ValueError, match=r"self.net\(x\)\['scores'\]"):
        hc.metrics.insertion(keyed, images(), torch.rand(2, *SIZE), 3)


def test_a_class_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"0\.\.4"):
        hc.GradCAM()(Returns(lambda x, f, z: {"scores": z, "features": x}), images(), "relu2", 7)
    with pytest.raises(ValueError, match="does not say which"):
        hc.GradCAM()(Returns(lambda x, f, z: (f, z)), images(), "relu2", 7)


def maps(name: str, net: nn.Module, x: Tensor, target) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return explainer(name, len(x))(net, x, layers(name), target)


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6 * float(other.abs().max()) + 1e-12)


RUNNING = [name for name in OF_CONVOLUTIONS if name not in CONTROLS]


@pytest.mark.parametrize("name", RUNNING)
def test_every_explainer_takes_every_head(name):
    """Two heads with a callable, a class by name, a head that squeezes: the maps of the plain network."""
    x = images()
    two, keyed = Returns(lambda x, f, z: (f, z)), Returns(lambda x, f, z: {"features": x, "scores": z})
    wanted = maps(name, TinyNet(), x, 3)
    same(maps(name, keyed, x, 3), wanted)
    if name not in NEEDS_A_CLASS:
        prob = getattr(explainer(name), "score", "prob" if name in ("msg-cam", "ucag") else "logit") == "prob"
        asks = name in ("msg-cam", "ucag")  # of a logit, and of a probability elsewhere
        if not asks:
            same(maps(name, two, x, lambda out: (out[1].softmax(1) if prob else out[1])[:, 3]), wanted)
        same(
            maps(name, keyed, x, FromOutput(lambda out: out["scores"][:, 2])),
            maps(name, two, x, lambda out: out[1][:, 2]),
        )
        squeezed, single = Returns(lambda x, f, z: z[:, 0], 1), TinyNet(classes=1)
        for target in (lambda z: z, lambda z: z.flatten(), lambda z: z[:, 0]):
            same(maps(name, squeezed, x, target), maps(name, single, x, 0))
    elif name not in ("c-lrp", "sglrp", "c-mwp", "finer-cam"):  # they set a class against others
        same(maps(name, Returns(lambda x, f, z: z[:, 0], 1), x, None), maps(name, TinyNet(classes=1), x, 0))


def test_segmentation_outputs():
    """{"out": (B, K, h, w)} and a callable; the metrics take the same function."""
    net, x = Returns(lambda x, f, z: {"out": x, "aux": x[:, :2]}), images()
    alone = Returns(lambda x, f, z: {"out": x})
    plain = Returns(lambda x, f, z: x)

    def mean(out):
        out = out if isinstance(out, Tensor) else out["out"]
        return out[:, 1].mean((1, 2))

    given = hc.GradCAM()(plain, x, "relu1", mean)
    for other in (net, alone):
        for target in (mean, FromOutput(mean)) if other is net else (FromOutput(mean),):
            assert torch.equal(hc.GradCAM()(other, x, "relu1", target), given)
    with pytest.raises(ValueError, match="callable"):
        hc.GradCAM()(alone, x, "relu1", 1)
    kept = hc.metrics.measure(["insertion", "road", "average-drop", "infidelity"], net, x, given, mean)
    assert all(v.shape == (2,) and v.isfinite().all() for v in kept.values())


def test_metrics_take_the_same_function():
    net, x = Returns(lambda x, f, z: (f, z)), images()
    names = ["insertion", "deletion", "road", "average-drop", "average-increase", "map-density+", "infidelity"]
    given = torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(0))
    wanted = hc.metrics.measure(names, TinyNet(), x, given, 3)
    found = hc.metrics.measure(names, net, x, given, lambda out: out[1].softmax(1)[:, 3])
    for name in names:
        torch.testing.assert_close(found[name], wanted[name])
    with pytest.raises(ValueError, match="does not say which"):
        hc.metrics.measure(names, net, x, given)
    explain = hc.GradCAM()
    moved = hc.metrics.sensitivity_max(
        net, x, None, lambda out: out[1][:, 3], draws=2, explain=lambda x, t: explain(net, x, "relu2", t)
    )
    assert moved.isfinite().all()
    many = hc.explain_many(["grad-cam", "score-cam"], net, x, "relu2", lambda out: out[1][:, 3])
    assert torch.equal(many["grad-cam"], hc.GradCAM()(TinyNet(), x, "relu2", 3))


def test_sanity_takes_the_same_function():
    import functools

    net, x = Returns(lambda x, f, z: (f, z)), images()
    explain = functools.partial(hc.GradCAM(), layers="relu2")
    options = {"measures": ("spearman",), "granularity": "layer"}
    two = randomise(explain, net, x, lambda out: out[1][:, 3], **options)
    one = randomise(explain, TinyNet(), x, 3, **options)
    torch.testing.assert_close(two.similarity, one.similarity, equal_nan=True)
    assert (two.predicted == -1).all() and (two.target == -1).all()


def test_a_callable_that_gives_nan_is_told():
    for target in (lambda z: z[:, 0] / 0, lambda z: z[:, 0] * float("nan")):
        for name in ("grad-cam", "score-cam", "gradient", "rise"):
            with pytest.raises(ValueError, match="finite"):
                maps(name, TinyNet(), images(), target)


# --- probabilities ----------------------------------------------------------------------------------

ENDS = {"softmax": lambda x, f, z: z.softmax(1), "sigmoid": lambda x, f, z: z.sigmoid()}


def said(call) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught if w.category is ProbabilityWarning]


@pytest.mark.parametrize("end", ENDS)
def test_a_network_that_ends_in_probabilities_is_noticed_once_a_call(end):
    net, x, given = Returns(ENDS[end]), images(3), torch.rand(3, *SIZE)
    calls = {
        "grad-cam": lambda: hc.GradCAM(score="prob")(net, x, ["relu1", "relu2"]),
        "many scales": lambda: hc.HolisticCAM(score="prob", scales=(1.0, 1.5), median=3, mean=3)(net, x, "relu2"),
        "score-cam": lambda: hc.ScoreCAM()(net, x, ["relu1", "relu2"]),
        "poly-cam": lambda: hc.PCAM()(net, x, ["relu1", "relu2"]),
        "gradient": lambda: hc.Gradient(score="prob")(net, x),
        "rise": lambda: hc.RISE(masks=5)(net, x),
        "extremal": lambda: hc.ExtremalPerturbation(score="prob", steps=1, areas=(0.2,), levels=2)(net, x),
        "ucag": lambda: hc.UCAG(patches=2)(net, x, "relu2"),
        "together": lambda: hc.explain_many(["score-cam", "cam+"], net, x, "relu2"),
        "insertion": lambda: hc.metrics.insertion(net, x, given, 1),
        "all metrics": lambda: hc.metrics.measure(["insertion", "road", "average-drop"], net, x, given),
    }
    for name, call in calls.items():
        found = said(call)
        assert len(found) == 1, (name, found)
        assert end in found[0] and 'score="logit"' in found[0]
    quiet = [
        lambda: hc.GradCAM()(net, x, "relu2"),
        lambda: hc.RISE(masks=5, score="logit")(net, x),
        lambda: hc.SmoothGrad(samples=2)(net, x),
        lambda: hc.metrics.insertion(net, x, given, 1, protocol=logit()),
    ]
    assert not any(said(call) for call in quiet)


def logit(score: str = "logit"):
    from dataclasses import replace

    return replace(hc.metrics.protocols["holistic-cam"], name=f"by {score}", score=score)


def test_logits_are_not_taken_for_probabilities():
    for seed in range(6):
        net, x = TinyNet(seed=seed), images(2, seed)
        assert not said(lambda: hc.ScoreCAM()(net, x, "relu2"))  # noqa: B023
    assert not said(lambda: hc.GradCAM(score="prob")(Returns(lambda x, f, z: z.log_softmax(1)), images(), "relu2"))
    one = nn.Sequential(TinyNet(classes=1), nn.Sigmoid()).eval()
    assert said(lambda: hc.GradCAM(score="prob")(one, images(), "0.relu2"))


def test_with_logit_such_a_network_scores_as_without_its_last_layer():
    x, given = images(3), torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(1))
    for end, kind in (("softmax", "prob"), ("sigmoid", "sigmoid")):
        inside = hc.metrics.insertion(Returns(ENDS[end]), x, given, 1, protocol=logit())
        torch.testing.assert_close(inside, hc.metrics.insertion(TinyNet(), x, given, 1, protocol=logit(kind)))


def test_sigmoid_scores_of_many_labels():
    z = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    assert torch.equal(hc.ops.select_score(z, torch.tensor([1, 0]), "sigmoid"), torch.tensor([2.0, 0.0]).sigmoid())
    x, given = images(), torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(2))
    ends = Returns(ENDS["sigmoid"])
    for name in RUNNING:
        ready = explainer(name)
        if hasattr(ready, "score") and name not in ("msg-cam", "guided-backprop", "deconvnet"):
            from dataclasses import replace

            by_hand = explainer_of(replace(ready, score="logit"), name, ends, x, 3)
            same(explainer_of(replace(ready, score="sigmoid"), name, TinyNet(), x, 3), by_hand)
    for run in ("insertion", "deletion", "road", "average-drop", "map-density+", "infidelity"):
        metric = hc.metrics.registry[run]
        torch.testing.assert_close(
            metric(TinyNet(), x, given, 3, protocol=logit("sigmoid")), metric(ends, x, given, 3, protocol=logit())
        )


def explainer_of(ready, name: str, net: nn.Module, x: Tensor, target: int) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ready(net, x, layers(name), target)


@pytest.mark.parametrize("classes", [1, 5])
def test_a_head_that_squeezes_takes_one_image_like_two(classes):
    net = Returns(lambda x, f, z: z.squeeze(), classes).eval()
    both = hc.GradCAM()(net, images(), "relu2", 0)
    assert torch.allclose(hc.GradCAM()(net, images()[:1], "relu2", 0), both[:1], atol=1e-6)
    three, maps = images(3), torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0))
    whole, parts = (hc.metrics.insertion(net, three, maps, 0, chunk=n) for n in (64, 2))
    assert torch.allclose(whole, parts, atol=1e-6)
    with pytest.raises(ValueError, match=r"\(B, K\) with B = 2; got \(10,\)"):
        logits_of(torch.zeros(10), 2)
