"""Sensitivity-max and infidelity: captum with the same draws, closed forms, costs."""

from functools import partial

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.methods.cams.gradcam import GradCAM
from holicam.metrics import infidelity, infidelity_scores, measure, sensitivity, sensitivity_max
from holicam.metrics.draws import keys, uniform
from holicam.metrics.infidelity import squares
from tests.helpers.nets import Counting, TinyNet, random_images
from tests.twins import slow_games as slow

RHO, DRAWS = 0.1, 4


def setting(size=3, height=14, width=11, dtype=torch.float64):
    images = random_images(size, 3, height, width, dtype=dtype)
    maps = random_images(size, height, width, seed=9).to(dtype)
    return TinyNet().to(dtype), images, maps, [1, 4, 0][:size]


def explainer(model):
    return lambda x, target: GradCAM(relu=False)(model, x, "conv2", target)


def shifts(images, ids, name="sensitivity"):
    some = keys(ids, len(images), name, DRAWS)
    return ((2 * uniform(some, images[0].numel(), images) - 1) * RHO).view(len(images), DRAWS, *images.shape[1:])


def test_captum_sensitivity(record_property):
    captum = pytest.importorskip("captum.metrics")
    model, images, _, target = setting()
    explain, ids = explainer(model), list("abc")
    found = sensitivity(model, images, None, target, explain=explain, ids=ids, radius=RHO, draws=DRAWS)
    moved = shifts(images, ids)
    for b in range(3):

        def first(x):  # captum gives a tuple first, later what perturb_func returns
            return x[0] if isinstance(x, tuple) else x

        def maps(x, b=b):
            return (explain(first(x), [target[b]] * len(first(x)))[:, None],)

        theirs = captum.sensitivity_max(
            maps,
            images[b : b + 1],
            n_perturb_samples=DRAWS,
            perturb_func=partial(lambda shift, x: first(x) + shift, moved[b]),
        )
        gap = abs(theirs.item() - found.maximum[b].item())
        record_property("difference", gap)
        assert gap < 1e-9
    assert (found.maximum == found.each.amax(1)).all() and found.each.shape == (3, DRAWS)
    assert found.maximum.min() > 0


def test_closed_forms():
    model, images, _, target = setting()

    def run(explain, **options):
        return sensitivity(model, images, None, target, explain=explain, radius=RHO, draws=DRAWS, **options)

    # The identity moves as far as the image does; a constant never; a zero map is divided by 1.
    found = run(lambda x, t: x[:, 0])
    wanted = shifts(images, None)[:, :, 0].flatten(2).norm(dim=2) / images[:, :1].flatten(1).norm(dim=1)[:, None]
    assert (found.each - wanted).abs().max() < 1e-12
    assert (run(lambda x, t: torch.ones_like(x[:, 0])).maximum == 0).all()
    first = images[:1]
    zero = run(lambda x, t: (x[:, 0] - first[0, 0]).relu() * 0)
    assert (zero.maximum == 0).all() and (zero.norm == 0).all()
    for norm in ("minmax", "l2"):
        one, scaled = (run(lambda x, t, k=k: k * x[:, 0], norm=norm).maximum for k in (1.0, 7.0))
        assert (one - scaled).abs().max() < 1e-9
    broken = run(lambda x, t: x[:, 0] / 0, on_nan="record").maximum
    assert broken.isnan().all()
    with pytest.raises(ValueError, match="gave NaN"):
        run(lambda x, t: x[:, 0] / 0)


def test_sensitivity_batches_and_costs():
    model, images, maps, target = setting()
    calls, explain, ids = [], explainer(model), list("abc")

    def counted(x, t):
        calls.append(len(x))
        return explain(x, t)

    found = sensitivity_max(model, images, maps, target, explain=counted, ids=ids, chunk=10)
    assert sum(calls) == 3 * 11 and calls == [10, 10, 10, 3]
    for b in range(3):
        alone = sensitivity_max(
            model, images[b : b + 1], None, target[b : b + 1], explain=explain, ids=ids[b : b + 1], chunk=1
        )
        assert (alone - found[b]).abs().max() < 1e-12
    top = model(images).argmax(1)
    free, given = (sensitivity_max(model, images, None, t, explain=explain) for t in (None, top))
    assert torch.equal(free, given)
    int_target = sensitivity_max(model, images, None, 2, explain=explain)
    assert torch.equal(int_target, sensitivity_max(model, images, None, [2] * 3, explain=explain))
    with torch.no_grad():  # a gradient method asks for what it needs itself
        assert torch.equal(sensitivity_max(model, images, None, top, explain=explain), given)


def test_captum_infidelity(record_property):
    captum = pytest.importorskip("captum.metrics")
    model, images, maps, target = setting()
    ids = list("abc")
    found = infidelity_scores(model, images, maps, target, ids=ids, sides=(2, 6), draws=DRAWS)
    covered = squares(uniform(keys(ids, 3, "infidelity", DRAWS), 3, images), 14, 11, (2, 6))
    covered = covered.view(3, DRAWS, 1, 14, 11)
    for b in range(3):
        gone = covered[b] * images[b]

        def perturb(x, gone=gone):
            return gone, x - gone

        with torch.no_grad():
            theirs = captum.infidelity(
                lambda x: model(x).softmax(1),
                perturb,
                images[b : b + 1],
                maps[b : b + 1, None].expand(-1, 3, -1, -1),
                target=target[b],
                n_perturb_samples=DRAWS,
                normalize=True,
            )
        gap = abs(theirs.item() - found.error[b].item())

        def score(x, b=b):
            return model(torch.from_numpy(x)[None]).softmax(1)[0, target[b]].item()

        own = slow.infidelity(
            score, images[b].numpy(), maps[b].numpy(), covered[b, :, 0].numpy(), np.zeros((3, 14, 11))
        )
        gap = max(gap, abs(own - found.error[b].item()))
        record_property("difference", gap)
        assert gap < 1e-9


def test_infidelity_is_blind_to_the_unit_and_exact_for_linear_scores():
    model, images, maps, target = setting()
    one, other = (infidelity(model, images, k * maps, target, sides=(2, 6)) for k in (1, -40))
    assert (one - other).abs().max() < 1e-12

    class Sum(torch.nn.Module):  # f(x) - f(x - I) is the sum of I times the weights exactly
        def forward(self, x):
            total = (x * maps[0] / 50).sum((1, 2, 3))
            return torch.stack([total, 0 * total], 1)

    def linear(values):
        return values[:, 0].log() - values[:, 1].log()  # the logit back from the softmax

    exact = infidelity_scores(Sum().eval(), images, maps[:1].expand(3, -1, -1), linear, sides=(2, 6))
    assert exact.error.max() < 1e-12 and (exact.beta - 1 / 50).abs().max() < 1e-9


def test_squares():
    numbers = torch.rand(500, 3, generator=torch.Generator().manual_seed(0))
    numbers[0], numbers[1] = 0.0, 1.0
    found = squares(numbers, 30, 40, (16, 64))
    sides = found.any(2).sum(1)
    assert torch.equal(sides, found.any(1).sum(1)) and torch.equal(sides**2, found.sum((1, 2)))
    assert sides.min() == 16 and sides.max() == 30 and found.any(0).all()
    assert squares(numbers[:2], 5, 5, (16, 64)).all()
    for wrong in ((5, 2), (0, 4), (2.5, 4), 3, (3,)):
        with pytest.raises(ValueError, match="sides must be"):
            squares(numbers, 30, 40, wrong)


def test_infidelity_of_images_with_a_graph_has_none():
    model, images, maps, target = setting()
    run = infidelity_scores(model, images.requires_grad_(), maps, target, sides=(2, 6))
    assert not any(values.requires_grad for values in (run.error, run.beta, run.dot, run.change))


def test_infidelity_costs_and_degenerate_maps():
    model, images, maps, target = setting()
    model = Counting(model)
    found = measure(["infidelity"], model, images, maps, target, ids=list("abc"), chunk=7)
    assert sum(model.batches) == 3 * 11
    for b in range(3):
        alone = infidelity(model, images[b : b + 1], maps[b : b + 1], target[b : b + 1], ids=["abc"[b]])
        assert (alone - found["infidelity"][b]).abs().max() < 1e-12
    maps[0], maps[1, 0, 0] = 0.0, torch.nan
    value = infidelity(model, images, maps, target, on_nan="record")
    assert value.isnan().tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"explain": None}, ValueError, "needs explain="),
        ({"explain": lambda x, t: x}, ValueError, "explain must return maps"),
        ({"radius": 0}, ValueError, "radius must be"),
        ({"draws": 0}, ValueError, "draws must be"),
        ({"norm": "max"}, ValueError, "norm must be one of"),
        ({"target": None, "protocol": "ucag"}, ValueError, "labelled class"),
        ({"target": 1.7}, TypeError, "target must be None, a class index"),
        ({"target": True}, TypeError, "target must be None, a class index"),
        ({"target": torch.tensor([0.3, 0.9, 0.1])}, TypeError, "target must be None, a class index"),
        ({"target": "cat"}, TypeError, "target must be None, a class index"),
        ({"target": [1, 2]}, ValueError, r"expected shape \(3,\), got \(2,\)"),
        ({"target": [[1], [2], [0]]}, ValueError, r"got \(3, 1\)"),
        ({"target": 7}, ValueError, r"must lie in 0..4 for this network; got 7$"),
    ],
)
def test_errors(options, kind, says):
    model, images, _, target = setting()
    call = {"target": target, "explain": lambda x, t: x[:, 0], **options}
    with pytest.raises(kind, match=says):
        sensitivity_max(model, images, None, **call)


def test_an_explainer_alone_is_no_explain():
    with pytest.raises(ValueError, match="explain is called as explain"):
        measure("sensitivity-max", TinyNet(), torch.rand(1, 3, 16, 16), None, 0, explain=hc.GradCAM())
