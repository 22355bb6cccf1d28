"""holicam.core.checks: questions about values are answered in the same words, at once or together."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import holicam as hc
from holicam.core.checks import expect_finite, look, together, warn_where
from tests.helpers.nets import TinyNet, random_images

NAN = torch.tensor([1.0, float("nan")])


class Odd(UserWarning):
    """A category of our own."""


def test_alone_a_question_is_answered_at_once():
    expect_finite(torch.ones(2), "never said")
    with pytest.raises(ValueError, match="^the reason$"):
        expect_finite(NAN, "the reason")
    with pytest.raises(ValueError, match="^made late$"):
        expect_finite(NAN, lambda: "made late")
    with pytest.warns(Odd, match="^beware$"):
        warn_where(NAN.isnan(), "beware", Odd)


def test_together_they_are_answered_at_the_end():
    reached = []
    with pytest.raises(ValueError, match="first"), together():
        expect_finite(torch.ones(1), "not this one")
        warn_where(NAN.isnan(), "beware", Odd)  # an error says more
        expect_finite(NAN, "first")
        expect_finite(NAN, "second")
        reached.append(1)
    assert reached
    expect_finite(torch.ones(1), "nothing is kept")
    with pytest.raises(ValueError, match="at once"):
        expect_finite(NAN, "at once")


def test_the_outer_call_reads():
    reached = []
    with pytest.raises(ValueError, match="inner"), together():
        with together():
            expect_finite(NAN, "inner")
        reached.append(1)
    assert reached


def test_an_early_look():
    with together():
        expect_finite(NAN, "early")
        with pytest.raises(ValueError, match="early"):
            look()
        look()  # nothing is left
    look()  # outside there is nothing to read


def test_a_failure_on_the_way_has_its_reason_read_first():
    with pytest.raises(ValueError, match="the reason"), together():
        expect_finite(NAN, "the reason")
        raise torch.linalg.LinAlgError("failed to converge")
    with pytest.raises(KeyError), together():
        expect_finite(torch.ones(1), "all is well")
        raise KeyError("its own")
    with pytest.raises(KeyboardInterrupt), together():
        expect_finite(NAN, "not asked for now")
        raise KeyboardInterrupt


def test_equal_warnings_are_given_once():
    with warnings.catch_warnings(record=True) as caught, together():
        warnings.simplefilter("always")
        for _ in range(3):
            warn_where(NAN.isnan(), "beware", Odd)
        warn_where(torch.zeros(2, dtype=torch.bool), "not this", Odd)
        warn_where(NAN.isnan(), "and this", Odd)
        assert not caught
    assert [str(w.message) for w in caught] == ["beware", "and this"]


def test_each_thread_has_its_own():
    def other():
        with pytest.raises(ValueError, match="there"):
            expect_finite(NAN, "there")

    with together(), ThreadPoolExecutor(1) as pool:
        pool.submit(other).result()


def test_a_mistaken_network_is_named_before_any_map():
    """Eigen-CAM cannot decompose NaN at all: the network's fault is said, not LAPACK's."""
    net, images = TinyNet(), random_images(2, 3, 12, 12)
    for explainer in (hc.EigenCAM(), hc.HolisticCAM(median=3, mean=3), hc.UCAG(patches=2), hc.PCAMPlus()):
        layers = ["relu1", "relu2"] if explainer.takes == "joint" else "relu2"
        with pytest.raises(ValueError, match=r"^the network's \w+ hold NaN or infinite values: check that the images"):
            explainer(net, images * float("nan"), layers, 1)
    with pytest.raises(ValueError, match="logits hold NaN"):
        hc.explain_many(["grad-cam", "lrp", "rise"], net, images * float("nan"), "relu2", 1)


def test_what_a_reader_hands_in_may_catch_its_own_errors():
    net, images = TinyNet(), random_images(2, 3, 12, 12)

    def explain(images, target):
        with pytest.raises(ValueError, match="logits hold NaN"):
            hc.GradCAM()(net, images * float("nan"), "relu2", target)
        return hc.GradCAM()(net, images, "relu2", target)

    assert hc.metrics.sensitivity_max(net, images, None, 1, explain=explain, draws=2).shape == (2,)
    assert hc.metrics.resolution_sweep(explain, net, images, 1, factors=(1, 2))[0].shape == (2, 2)
    hc.sanity.randomise(lambda net, images, target: explain(images, target), net, images, 1, measures=("spearman",))
