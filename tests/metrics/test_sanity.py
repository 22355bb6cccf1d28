"""Sanity checks: similarities against SciPy and scikit-image, one model changed and given back, verdicts."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import holicam as hc
from holicam.metrics import sanity
from holicam.models.toy import ToyResNet50, ToyVGG16BN
from tests.helpers.nets import BranchNet, TinyNet, TokenNet, random_images

gradcam = functools.partial(hc.GradCAM(relu=False), layers="conv2")


def maps(batch: int = 3, size: tuple[int, int] = (64, 80), seed: int = 0, zeros: bool = False) -> torch.Tensor:
    found = random_images(batch, *size, seed=seed, dtype=torch.float64).cumsum(1).cumsum(2)
    return found.relu() if zeros else found


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------- similarities and their oracles


@pytest.mark.parametrize("zeros", [False, True])
def test_spearman_is_scipys(zeros, record_property):
    stats = pytest.importorskip("scipy.stats")
    a, b = maps(zeros=zeros), maps(seed=1, zeros=zeros)
    theirs = [stats.spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b, strict=True)]
    ours = sanity.spearman(a, b)
    record_property("difference", float((ours - torch.tensor(theirs)).abs().max()))
    torch.testing.assert_close(ours, torch.tensor(theirs, dtype=torch.float64), rtol=0, atol=1e-12)


def test_ties_share_their_average_rank():
    def as_map(*values):
        return torch.tensor(values)[None, None]

    assert float(sanity.spearman(as_map(0.0, 0.0, 1.0), as_map(0.0, 1.0, 0.0))) == pytest.approx(-0.5)
    assert sanity.average_ranks(torch.tensor([[3.0, 1.0, 3.0, 3.0]])).tolist() == [[2.0, 0.0, 2.0, 2.0]]
    a, b = (torch.rand(1, 200, 200, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    a, b = (torch.where(x < 0.7, 0.0, x) for x in (a, b))  # 70 % zeros, nothing in common
    assert abs(float(sanity.spearman(a, b))) < 0.02


@pytest.mark.parametrize("adebayo", [False, True])
def test_ssim_is_scikit_images(adebayo):
    metrics = pytest.importorskip("skimage.metrics")
    a, b = maps(), maps(seed=1, zeros=True)
    options = {"data_range": 2.0, "sample": True} if adebayo else {}
    unit = [hc.ops.normalise(x).numpy() for x in (a, b)]
    theirs = [
        metrics.structural_similarity(
            x, y, data_range=2.0 if adebayo else 1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=adebayo
        )
        for x, y in zip(*unit, strict=True)
    ]
    theirs = torch.tensor(theirs, dtype=torch.float64)
    torch.testing.assert_close(sanity.ssim(a, b, **options), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(64, 80), (112, 112), (70, 53)])
def test_hog_is_scikit_images(size):
    feature = pytest.importorskip("skimage.feature")
    a = maps(size=size)
    theirs = np.stack([feature.hog(x, pixels_per_cell=(16, 16)) for x in hc.ops.normalise(a).numpy()])
    assert np.abs(sanity.hog(a).numpy() - theirs).max() < 1e-7  # scikit-image sums cells in float32
    assert sanity.hog(torch.rand(1, 224, 224)).shape == (1, 11_664)
    stats = pytest.importorskip("scipy.stats")
    b = maps(size=size, seed=1)
    other = np.stack([feature.hog(x, pixels_per_cell=(16, 16)) for x in hc.ops.normalise(b).numpy()])
    for ours, theirs_of in ((sanity.hog_pearson, stats.pearsonr), (sanity.hog_spearman, stats.spearmanr)):
        wanted = [theirs_of(x, y).statistic for x, y in zip(theirs, other, strict=True)]
        torch.testing.assert_close(ours(a, b), torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("measure", sanity.MEASURES)
def test_every_measure(measure):
    a, b = maps(), maps(seed=1)
    value = functools.partial(sanity.similarity, measure)
    torch.testing.assert_close(value(a, a), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(value(a, b), value(b, a))
    torch.testing.assert_close(value(2 * a, 5 * b), value(a, b), rtol=0, atol=1e-6)
    for i in range(3):
        torch.testing.assert_close(value(a, b)[i : i + 1], value(a[i : i + 1], b[i : i + 1]), rtol=0, atol=1e-9)
    flipped = value(a, -a)
    assert bool((flipped > 1 - 1e-6).all()) == measure.endswith("-abs") or measure.startswith("hog")
    broken = a.clone()
    broken[0], broken[1, 0, 0] = 3.0, torch.nan
    assert value(broken, a).isnan().tolist() == [True, True, False] == value(a, broken).isnan().tolist()


def test_maps_without_a_sign_are_compared_once(monkeypatch):
    calls = []
    alike = importlib.import_module("holicam.metrics.sanity.similarity")  # the package shows its function
    monkeypatch.setattr(alike, "similarity", lambda name, a, b: calls.append(name) or torch.zeros(len(a)))
    assert set(sanity.similarities(maps().abs(), maps().abs())) == set(sanity.MEASURES)
    assert len(calls) == 4
    sanity.similarities(maps(), maps().abs())
    assert len(calls) == 12


def test_wrong_maps_are_named():
    with pytest.raises(ValueError, match="hog-spearman-abs"):
        sanity.similarity("cosine", maps(), maps())
    with pytest.raises(ValueError, match="one shape"):
        sanity.similarity("ssim", maps(), maps(2))
    with pytest.raises(ValueError, match="48 x 48"):
        sanity.similarity("hog-pearson", maps(size=(40, 64)), maps(size=(40, 64)))
    with pytest.raises(ValueError, match="11 x 11"):
        sanity.similarity("ssim", maps(size=(8, 8)), maps(size=(8, 8)))


# ---------------------------------------------------------------- units and new weights


def test_units_of_a_resnet_are_adebayos_blocks():
    names = [u.name for u in sanity.units(ToyResNet50(width=4).eval(), torch.zeros(1, 3, 32, 32))]
    blocks = [f"layer{s}.{b}" for s, n in ((4, 3), (3, 6), (2, 4), (1, 3)) for b in reversed(range(n))]
    assert names == ["fc", *blocks, "conv1"]
    each = sanity.units(ToyResNet50(width=4).eval(), torch.zeros(1, 3, 32, 32), granularity="layer")
    assert len(each) == 54 and each[1].name == "layer4.2.conv3" and each[1].modules[1] == "layer4.2.bn3"


def test_units_of_vgg16_are_poly_cams_sixteen():
    from torchvision.models import vgg16

    with torch.device("meta"):
        model = vgg16().eval()
        units = sanity.units(model, torch.zeros(1, 3, 224, 224))
    convs = [f"features.{i}" for i in (28, 26, 24, 21, 19, 17, 14, 12, 10, 7, 5, 2, 0)]
    assert [u.name for u in units] == ["classifier.6", "classifier.3", "classifier.0", *convs]
    with_norms = sanity.units(ToyVGG16BN(width=1).eval(), torch.zeros(1, 3, 32, 32))
    assert with_norms[-1].modules == ("features.0", "features.1")


@pytest.mark.parametrize("net", [TinyNet, BranchNet, TokenNet, lambda: ToyResNet50(width=4).eval()])
@pytest.mark.parametrize("granularity", ["block", "layer"])
def test_every_weight_that_runs_belongs_to_one_unit(net, granularity):
    model = net()
    inside = [m for u in sanity.units(model, random_images(1, 3, 16, 16), granularity=granularity) for m in u.modules]
    holders = {n for n, m in model.named_modules() if [*m.parameters(recurse=False)]} - {"unused"}
    assert sorted(inside) == sorted(holders)
    if net is TokenNet:
        assert sanity.units(model, random_images(1, 3, 16, 16))[-1].name == "TokenNet"  # its class token


def test_new_weights_follow_from_seed_and_name():
    model = TinyNet()
    fc, last, *_ = sanity.units(model, random_images(1, 3, 16, 16))
    before = state(model)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with sanity.kept(model) as trained:
        sanity.reinitialise(model, last, 7)
        once = state(model)
        assert not torch.equal(once["conv2.weight"], before["conv2.weight"])
        assert torch.equal(once["fc.weight"], before["fc.weight"])
        assert once["bn2.running_mean"].eq(0).all() and once["bn2.weight"].eq(1).all()
        sanity.reinitialise(model, fc, 7)
        sanity.reinitialise(model, last, 7)
        assert torch.equal(model.conv2.weight, once["conv2.weight"])
        sanity.reinitialise(model, last, 8)
        assert not torch.equal(model.conv2.weight, once["conv2.weight"])
        trained.restore(last)
        assert torch.equal(model.conv2.weight, before["conv2.weight"])
        assert not torch.equal(model.fc.weight, before["fc.weight"])
        sanity.reinitialise(model, last, 7, "keep")
        assert torch.equal(model.bn2.running_mean, before["bn2.running_mean"])
        assert torch.equal(model.conv2.weight, once["conv2.weight"])
    assert same(before, state(model)) and torch.equal(torch.rand(3), expected)
    bound = 1 / math.sqrt(model.conv2.weight[0].numel())  # Kaiming-uniform with a = sqrt(5)
    assert 0.9 * bound < float(once["conv2.weight"].abs().max()) <= bound


def test_a_module_that_cannot_reset_itself_is_shuffled():
    model = TokenNet()
    with torch.no_grad():
        model.class_token.copy_(torch.arange(8.0))
    unit = sanity.units(model, random_images(1, 3, 16, 16))[-1]
    with sanity.kept(model):
        sanity.reinitialise(model, unit, 0)
        changed = model.class_token.detach().flatten().clone()
    assert changed.tolist() != list(range(8)) and sorted(changed.tolist()) == list(range(8))


@pytest.mark.parametrize("kind", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_what_a_weight_is_made_of_is_randomised_too(kind):
    """The older norms make `weight` anew in every forward, from parameters that a reset does not reach."""
    model, images = TinyNet(), random_images(2, 3, 24, 24)
    model.train()
    model.conv1 = kind(model.conv1)
    for _ in range(20 if kind is nn.utils.spectral_norm else 0):  # as trained: its estimate has settled
        model.conv1(torch.zeros(1, 4, 8, 8))
    model.eval()
    with torch.no_grad():
        model(images)
        features = model.relu0(model.bn0(model.conv0(images)))
        learned, size = model.conv1(features), model.conv1.weight.norm()
    before = state(model)
    unit = next(u for u in sanity.units(model, images) if "conv1" in u.modules)
    with sanity.kept(model):
        sanity.reinitialise(model, unit, 0)
        with torch.no_grad():
            found = model.conv1(features)
            assert 0.5 * size < model.conv1.weight.norm() < 2 * size
        alike = torch.corrcoef(torch.stack([learned.flatten(), found.flatten()]))[0, 1]
        assert abs(alike) < 0.5
        assert not any(torch.equal(p, before[f"conv1.{name}"]) for name, p in model.conv1.named_parameters())
    assert same(before, state(model))


def test_a_parameter_that_a_reset_forgets_is_shuffled():
    class Scaled(nn.Linear):
        def __init__(self):
            super().__init__(8, 8)
            self.scale = nn.Parameter(torch.arange(8.0))

    torch.manual_seed(0)
    layer, plain = Scaled(), nn.Linear(8, 8)
    sanity.reinitialise(layer, sanity.Unit("it", ("",)), 3)
    sanity.reinitialise(plain, sanity.Unit("it", ("",)), 3)
    assert sorted(layer.scale.tolist()) == list(range(8)) != layer.scale.tolist()
    assert torch.equal(layer.weight, plain.weight) and torch.equal(layer.bias, plain.bias)


def test_recalibrated_statistics_are_those_of_the_images():
    model, images = TinyNet(), random_images(4, 3, 16, 16)
    steps = sanity.units(model, images)
    with sanity.kept(model):
        for unit in steps:
            sanity.reinitialise(model, unit, 0)
        sanity.recalibrate(model, steps, images)
        first = model.conv0(images)
        torch.testing.assert_close(model.bn0.running_mean, first.mean((0, 2, 3)))
        torch.testing.assert_close(model.bn0.running_var, first.var((0, 2, 3)), rtol=1e-4, atol=1e-6)
        assert model.bn0.momentum == 0.1 and not model.bn0.training


# ---------------------------------------------------------------- the run


@pytest.mark.parametrize("order", ["cascading", "independent"])
@pytest.mark.parametrize("policy", ["fixed", "repredict"])
@pytest.mark.parametrize("bn", ["reset", "keep", "recalibrate"])
def test_a_run_is_what_one_would_do_by_hand(order, policy, bn):
    model, images = TinyNet(), random_images(3, 3, 48, 56)
    before = state(model)
    run = sanity.randomise(gradcam, model, images, order=order, class_policy=policy, bn=bn, seed=5, keep_maps=True)
    assert same(before, state(model)) and not model.training
    steps = sanity.units(model, images)
    assert run.layers == ("fc", "conv2", "conv1", "conv0") == tuple(u.name for u in steps)
    clean = model(images).argmax(1)
    original = gradcam(model, images, target=clean)
    for s in range(4):
        other = TinyNet()  # another model altogether
        new = steps[: s + 1] if order == "cascading" else steps[s : s + 1]
        for unit in new:
            sanity.reinitialise(other, unit, 5, bn)
            if bn == "recalibrate":
                sanity.recalibrate(other, new[: new.index(unit) + 1], images)
        predicted = other(images).argmax(1)
        target = clean if policy == "fixed" else predicted
        torch.testing.assert_close(run.maps[s], gradcam(other, images, target=target), rtol=1e-5, atol=1e-7)
        assert torch.equal(run.target[s], target) and torch.equal(run.predicted[s], predicted)
    torch.testing.assert_close(run.original, original)
    for name, values in run.similarity.items():
        assert values.shape == (4, 3)
        torch.testing.assert_close(values[2], sanity.similarity(name, original, run.maps[2]), equal_nan=True)
        assert run.mean(name).shape == run.undefined(name).shape == (4,)


def test_the_model_comes_back_after_an_error():
    model, images, calls = TinyNet(), random_images(2, 3, 48, 48), itertools.count()
    before, dropout = state(model), model.dropout.training

    def breaks(*args, **options):
        if next(calls) == 2:
            raise RuntimeError("out of memory")
        return gradcam(*args, **options)

    with pytest.raises(RuntimeError, match="out of memory"):
        sanity.randomise(breaks, model, images, bn="recalibrate")
    assert same(before, state(model)) and model.dropout.training == dropout
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_one_image_alone_gives_what_it_gives_in_a_batch():
    model, images = TinyNet(), random_images(3, 3, 48, 48)
    together = sanity.randomise(gradcam, model, images, [0, 1, 2])
    for i in range(3):
        alone = sanity.randomise(gradcam, model, images[i : i + 1], [i])
        for name, values in alone.similarity.items():
            torch.testing.assert_close(values[:, 0], together.similarity[name][:, i], rtol=0, atol=1e-4)


def test_progress_is_shown_and_degenerate_maps_are_counted():
    def bar(items, total):
        assert total == 4
        for item in items:
            seen.append(item)
            yield item

    def nothing(model, images, target):
        return torch.zeros(len(images), 48, 48)

    seen = []
    run = sanity.randomise(nothing, TinyNet(), random_images(2, 3, 48, 48), progress=bar)
    assert seen == [0, 1, 2, 3] and run.degenerate.all() and run.zero_fraction.eq(1).all()
    assert run.undefined("ssim").tolist() == [2] * 4 and run.mean("spearman").isnan().all()


def test_layers_may_be_named():
    run = sanity.randomise(gradcam, TinyNet(), random_images(2, 3, 48, 48), layers=["fc", "conv0"], measures=["ssim"])
    assert run.layers == ("fc", "conv0") and set(run.similarity) == {"ssim"}
    with pytest.raises(ValueError, match="'relu0'"):
        sanity.randomise(gradcam, TinyNet(), random_images(2, 3, 48, 48), layers=["relu0"])


def test_what_cannot_be_done_is_said():
    model, images = TinyNet(), random_images(2, 3, 48, 48)
    for wrong in ({"order": "random"}, {"class_policy": "label"}, {"bn": "drop"}, {"granularity": "stage"}):
        with pytest.raises(ValueError, match="must be one of"):
            sanity.randomise(gradcam, model, images, **wrong)
    with pytest.raises(ValueError, match="callable"):
        sanity.randomise(gradcam, model, images, lambda logits: logits[:, 0], class_policy="repredict")
    with pytest.raises(TypeError, match="name one layer"):
        sanity.randomise(functools.partial(hc.GradCAM(), layers=["conv1", "conv2"]), model, images)
    with pytest.raises(ValueError, match="no weights"):
        sanity.randomise(hc.SobelMap(), nn.Identity().eval(), images)
    run = sanity.randomise(gradcam, model, images, lambda logits: logits[:, 0])
    assert run.target.eq(-1).all()


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize("measure", ["spearman-abs", "ssim", "hog-pearson"])
def test_an_edge_detector_fails_and_noise_of_the_weights_passes(measure):
    model, images = hc.load_model("toy-resnet50"), hc.toyland.batch(4, size=64, split="test").images
    edges = sanity.verdict(hc.SobelMap(), model, images, measure=measure, seeds=2)
    assert edges.passed is False and edges.original.mean == pytest.approx(1) == edges.edges.mean
    assert edges.reasons == ("without the weights the maps still show the image",) and edges.within_null
    assert "fails" in str(edges) and edges.kept == pytest.approx(1) and edges.error < 0.05
    middle = sanity.verdict(hc.CenterMap(), model, images, measure=measure, seeds=2)
    assert middle.passed is False and middle.reasons == ("the maps are the same for all images and networks",)
    assert math.isnan(middle.kept)

    def of_the_weights(model, images, target):
        seed = int(model.fc.weight.double().abs().sum() * 1e6)
        return torch.rand(len(images), 64, 64, generator=torch.Generator().manual_seed(seed))

    noise = sanity.verdict(of_the_weights, model, images, measure=measure, seeds=3)
    assert noise.passed and abs(noise.kept) < 0.1 and noise.original.count == 12 and noise.others.count == 36
    assert noise.kept == pytest.approx((noise.original.mean - noise.others.mean) / (1 - noise.others.mean))


def test_a_verdict_without_maps_is_none():
    def nothing(model, images, target):
        return torch.zeros(len(images), 48, 48)

    found = sanity.verdict(nothing, TinyNet(), random_images(2, 3, 48, 48), seeds=2)
    assert found.passed is None and found.degenerate == 1 and "cannot be judged" in str(found)
    with pytest.raises(ValueError, match="at least two"):
        sanity.verdict(nothing, TinyNet(), random_images(1, 3, 48, 48))
    with pytest.raises(ValueError, match="seeds"):
        sanity.verdict(nothing, TinyNet(), random_images(2, 3, 48, 48), seeds=1)


@pytest.mark.parametrize("sighted", [0, 1, 2])
def test_random_networks_that_see_nothing_give_no_verdict(sighted):
    """Of three seeds, so many draw a map: from two on there are maps of random networks to compare."""
    calls = itertools.count()

    def explain(model, images, target):
        call = next(calls)  # 0: the trained network
        values = torch.rand(len(images), 48, 48, generator=torch.Generator().manual_seed(call))
        return values if call <= sighted else torch.zeros_like(values)

    found = sanity.verdict(explain, TinyNet(), random_images(3, 3, 48, 48), seeds=3)
    assert math.isnan(found.sees) == (sighted < 2)
    assert found.passed is (True if sighted == 2 else None) and bool(found.reasons) == (sighted < 2)
    assert ("see nothing" in str(found)) == (sighted == 1) == (not math.isnan(found.kept) and sighted < 2)
    assert "passes" in str(found) or "cannot be judged" in str(found)


def test_guided_backpropagation_draws_edges_without_weights_and_grad_cam_does_not():
    """Adebayo et al.'s finding, where the random network sees its image; where it does not, nothing fails."""
    model, images = hc.load_model("toy-resnet50"), hc.toyland.batch(6, size=112, split="test").images
    guided = sanity.verdict(hc.GuidedBackprop(), model, images, bn="recalibrate", seeds=2)
    assert guided.passed is False and guided.original.mean > 0.6 and guided.kept > 0.5 > 4 * guided.error
    layer4 = functools.partial(hc.GradCAM(), layers="layer4")
    assert sanity.verdict(layer4, model, images, bn="recalibrate", seeds=3).passed
    blind = sanity.verdict(hc.GuidedBackprop(), model, images, seeds=2)
    assert blind.passed and blind.sees < 0.15 < 0.4 < guided.sees


# ---------------------------------------------------------------- random labels


def test_label_randomisation_compares_two_networks():
    one, two, images = TinyNet(seed=0), TinyNet(seed=1), random_images(3, 3, 48, 48)
    found = sanity.label_randomisation(gradcam, one, two, images)
    assert torch.equal(found.target, one(images).argmax(1)) and torch.equal(found.random_target, two(images).argmax(1))
    torch.testing.assert_close(found.maps, gradcam(one, images))
    torch.testing.assert_close(found.random_maps, gradcam(two, images))
    torch.testing.assert_close(found.similarity["ssim"], sanity.ssim(found.maps, found.random_maps))
    torch.testing.assert_close(found.others["ssim"], sanity.ssim(found.maps, found.random_maps.roll(1, 0)))
    fixed = sanity.label_randomisation(gradcam, one, two, images, 3, class_policy="fixed")
    assert fixed.target.tolist() == fixed.random_target.tolist() == [3, 3, 3]
    assert fixed.mean("ssim") == pytest.approx(float(fixed.similarity["ssim"].mean()))
    edges = sanity.label_randomisation(hc.SobelMap(), one, two, images)
    assert edges.mean("spearman") == pytest.approx(1)
    with pytest.raises(ValueError, match="at least two"):
        sanity.label_randomisation(gradcam, one, two, images[:1])


@pytest.mark.gpu
def test_cpu_and_gpu_agree():
    model, images = TinyNet(), random_images(3, 3, 48, 48)
    cpu = sanity.randomise(gradcam, model, images)
    gpu = sanity.randomise(gradcam, model.cuda(), images.cuda())
    for name, values in cpu.similarity.items():
        torch.testing.assert_close(gpu.similarity[name].cpu(), values, rtol=0, atol=1e-2)


def _asks(net, images):
    explain = functools.partial(hc.GradCAM(), layers="conv2")
    yield lambda: sanity.units(net, images)
    yield lambda: sanity.recalibrate(net, (), images)
    yield lambda: sanity.randomise(explain, net, images, measures=["spearman"])
    yield lambda: sanity.randomise(lambda model, images, target: images[:, 0], net, images, measures=["spearman"])
    yield lambda: sanity.verdict(explain, net, images)
    yield lambda: sanity.label_randomisation(explain, net, net, images)


def test_a_network_in_training_mode_is_refused_before_it_is_asked():
    net, images = TinyNet().train(), random_images(2, 3, 24, 24)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for ask in _asks(net, images):
        with pytest.raises(ValueError, match="training mode"):
            ask()
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_what_is_no_network_no_images_or_no_explainer_is_named():
    net, images = TinyNet(), random_images(2, 3, 24, 24)
    with pytest.raises(TypeError, match="images must be a tensor"):
        sanity.verdict(hc.SobelMap(), net, images.numpy())
    with pytest.raises(TypeError, match="model must be"):
        sanity.randomise(hc.Gradient(), None, images)
    with pytest.raises(TypeError, match="explain must be callable"):
        sanity.randomise(None, net, images)
    with pytest.raises(ValueError, match="repredict"):
        sanity.label_randomisation(hc.SobelMap(), net, net, images, 3)


def test_what_weight_norm_made_is_put_back_too():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and in use
        layer = torch.nn.utils.weight_norm(nn.Conv2d(3, 4, 3))
    net = nn.Sequential(layer, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    images = random_images(2, 3, 12, 12)
    net(images)
    before = layer.weight.detach().clone()
    sanity.randomise(hc.InputXGradient(), net, images, measures=["spearman"])
    assert torch.equal(layer.weight, before)


def test_a_network_of_many_places_names_no_class():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.out = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return self.out(self.c(x).relu())

    run = sanity.randomise(
        functools.partial(hc.GradCAM(), layers="c"),
        Dense().eval(),
        random_images(2, 3, 12, 12),
        lambda z: z[:, 0].mean((1, 2)),
        measures=["spearman"],
    )
    assert (run.predicted == -1).all()


def test_measures_of_unlike_maps_are_refused():
    for measure in (sanity.spearman, sanity.ssim):
        with pytest.raises(ValueError, match="same shape"):
            measure(torch.rand(2, 12, 12), torch.rand(3, 12, 12))
