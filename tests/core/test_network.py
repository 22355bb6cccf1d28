"""holicam.core.network and holicam.core.guard: one door to a user's network, and what it promises."""

from __future__ import annotations

import ast
import functools
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import holicam as hc
from holicam import toyland
from holicam.core.capture import capture
from holicam.core.guard import turn
from holicam.core.network import NetworkError, forward
from holicam.methods.cams import multiscale
from holicam.notebook.explorer.computed import computed
from tests.helpers.explainers import OF_CONVOLUTIONS, explainer, layers, maps
from tests.helpers.nets import ColourNet, TinyNet, random_images

PACKAGE = Path(__file__).resolve().parents[2] / "holicam"
NETWORKS = {"model", "net", "network", "random_model"}
# `training` and `card` run the networks that this package trains itself, on images that it draws; `drypass` runs one
# image before anything is explained, `edition` asks a network that it has loaded itself what it takes a picture for.
EXEMPT = {"network.py", "training.py", "card.py", "drypass.py", "edition.py"}


def calls_of_networks(path: Path) -> list[str]:
    """Where a file calls something that has the name of a network, or a network's `forward`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in NETWORKS or (isinstance(node.func, ast.Attribute) and name == "forward"):
                found.append(f"{path.name}:{node.lineno}")
    return found


def test_every_forward_goes_through_one_door():
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in EXEMPT]
    assert not [place for path in files for place in calls_of_networks(path)]
    assert calls_of_networks(PACKAGE / "core" / "network.py")


class Normalising(TinyNet):
    """Normalises inside, written as `transforms.Normalize(inplace=True)` writes it, or not in place."""

    def __init__(self, inplace: bool, classes: int = 5) -> None:
        super().__init__(inplace, classes)
        self.writes = inplace

    def forward(self, images):
        images = images.sub_(0.25).div_(0.5) if self.writes else (images - 0.25) / 0.5
        return super().forward(images)


every = pytest.mark.parametrize("name", OF_CONVOLUTIONS)
SIDE = 48


@every
def test_a_network_that_writes_into_its_input_gets_the_same_maps(name):
    x = random_images(3, 3, 24, 40).double()
    given, target = x.clone(), torch.tensor([1, 0, 4])
    got = maps(name, Normalising(True).double(), given, target)
    assert torch.equal(given, x) and target.tolist() == [1, 0, 4]
    assert torch.equal(got, maps(name, Normalising(False).double(), x, target))


@pytest.fixture(scope="module")
def world():
    batch = toyland.batch(2, split="test", subset="shortcut", size=SIDE)
    found = random_images(2, SIDE, SIDE, seed=3).abs()
    given = {"masks": batch.object_mask, "boxes": batch.boxes, "recipes": batch.recipes, "ids": batch.ids}
    return batch.images, found, given


@pytest.mark.parametrize("chunk", [1, 2, 64])  # a batch that fills a chunk is handed on as it is
@pytest.mark.parametrize("name", hc.metrics.registry)
def test_a_network_that_writes_into_its_input_gets_the_same_scores(name, chunk, world):
    images, found, given = world
    options = {"chunk": chunk, "target": 3} | given
    if name == "shortcut-contrast":
        options["reference"] = found.flip(1)
    rows, copies = [], [t.clone() for t in (images, found, given["masks"])]
    for inplace in (False, True):
        net = Normalising(inplace, classes=10)
        options["explain"] = lambda x, target, net=net: hc.GradCAM()(net, x, "relu1", target)
        rows.append(hc.metrics.registry[name](net, images, found, **options))
        assert all(torch.equal(*pair) for pair in zip((images, found, given["masks"]), copies, strict=True))
    torch.testing.assert_close(*rows, rtol=1e-5, atol=1e-6, equal_nan=True)


def seen(net, images):
    """What the explorer shows of the top-1 class."""
    start = {"opacity": 0.6, "threshold": 0.0}
    content = computed(net, images[:1], ["layer-cam"], ["relu1"], None, False, False, start)
    return (torch.from_numpy(content.map_of(*content.pictures, "layer-cam", "relu1").values),)


def test_sweeps_checks_and_the_explorer_do_not_hand_on_the_images_either():
    x = random_images(2, 3, SIDE, SIDE)
    given = x.clone()
    explain = functools.partial(hc.GradCAM(), layers="relu1")
    for call in (
        lambda net: hc.metrics.confidence_by_scale(net, given, factors=(1, 1.5)),
        lambda net: hc.metrics.resolution_sweep(lambda x, t: explain(net, x, target=t), net, given, factors=(1, 1.5)),
        lambda net: (hc.metrics.gradient_variance(net, given, "relu1").raw,),
        lambda net: (hc.sanity.randomise(explain, net, given, layers=["fc"], keep_maps=True).maps,),
        lambda net: (torch.tensor(hc.sanity.verdict(explain, net, given, seeds=2).original.mean),),
        lambda net: (hc.sanity.label_randomisation(explain, net, net, given).maps,),
        lambda net: seen(net, given),
        lambda net: (hc.UCAG(lambda net, x, target: net(x)[:, :1, None].relu(), patches=2)(net, given, None, 1),),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for one, other in zip(call(Normalising(False)), call(Normalising(True)), strict=True):
                torch.testing.assert_close(one, other, equal_nan=True)
        assert torch.equal(given, x)


def test_functions_of_the_caller_may_work_in_place():
    """Baselines are functions of the images, targets of the logits."""
    net, x = TinyNet(), random_images(2, 3, 12, 12)
    given = x.clone()
    wanted = hc.IntegratedGradients(steps=3, baseline=lambda x: x * 0 + 1)(net, x, None, 1)
    in_place = hc.IntegratedGradients(steps=3, baseline=lambda x: x.mul_(0).add_(1))
    assert torch.equal(in_place(net, given, None, 1), wanted)
    protocol = replace(hc.metrics.protocols["rise"], insertion=lambda x: x.zero_(), deletion=lambda x: x.fill_(1.0))
    hc.metrics.insertion_deletion(net, given, x[:, 0], 1, protocol=protocol)
    hc.metrics.infidelity(net, given, x[:, 0], 1, protocol=protocol, draws=2)
    assert torch.equal(given, x)
    for kind in ("logit", "prob"):
        got = capture(net, given, "relu1", lambda z: z.mul_(2)[:, 1], score=kind)
        want = capture(net, x, "relu1", lambda z: z[:, 1] * 2, score=kind)
        assert torch.equal(got.G["relu1"], want.G["relu1"]) and torch.equal(got.logits, want.logits)


# Refusals ------------------------------------------------------------------------------------------


class Classical(nn.Module):
    """Made for 16 x 16 images of three colours, as LeNet was for 32 x 32 of one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(4 * 64, 5)
        self.eval()

    def forward(self, images):
        return self.fc(self.body(images).flatten(1))


class Asserting(Classical):
    """As torchvision's vision transformers."""

    def forward(self, images):
        assert images.shape[2] == 16, f"Wrong image height! Expected 16 but got {images.shape[2]}!\nReally."
        return super().forward(images)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (
            torch.zeros(1, 4, 16, 16),
            r"shape \(B, 4, 16, 16\) and float32 on cpu at its layer 'body.0', Conv2d with "
            r"weights \(4, 3, 3, 3\)",
        ),
        (
            torch.zeros(1, 3, 16, 16).double(),
            "float64 on cpu at its layer 'body.0'.*its weights are float32: give images",
        ),
        (torch.zeros(1, 3, 20, 20), "at its layer 'fc', Linear with weights.*mat1 and mat2"),
        (torch.zeros(1, 3, 1, 1), "at its layer 'body.2', MaxPool2d: .*too small"),
    ],
)
@pytest.mark.parametrize("name", ["grad-cam", "gradient", "lrp", "rise", "score-cam"])
def test_images_that_the_network_does_not_take(name, images, says):
    ready = hc.explainers[name](**{"rise": {"masks": 2}}.get(name, {}))
    with pytest.raises(ValueError, match=says) as caught:
        ready(Classical(), images, "body.1" if ready.takes == "layer" else None, 1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(ValueError, match=says):
        hc.metrics.insertion(Classical(), images, images[:, 0].clone(), 1)


@pytest.mark.parametrize("make", [Classical, Asserting])
@pytest.mark.parametrize(
    ("ready", "says"),
    [
        (
            hc.HolisticCAM(),
            r"16 x 16 but not of 23 x 23 \(.*\): if it is made for one size, give scales=\(1,\), or take "
            "a method .*Layer-CAM",
        ),
        (hc.CAMERAS(), r"give scales=\(1,\)"),
        (hc.MSGCAM(), r"give scales=\(1,\)"),
        (hc.UCAG(), "give alpha=1.7777777777777777, which enlarges patches to that size"),
        (hc.UCAG(hc.RISE(masks=2)), "give alpha=1.7777777777777777"),
    ],
)
def test_networks_of_one_size_and_methods_that_resize(make, ready, says):
    net, x = make(), random_images(1, 3, 16, 16)
    where = None if ready.takes == "input" else "body.1"
    with pytest.raises(NetworkError, match=says) as caught:
        ready(net, x, where, 1)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is not None
    way_out = replace(ready, alpha=1.7777777777777777) if isinstance(ready, hc.UCAG) else replace(ready, scales=(1,))
    assert way_out(net, x, where, 1).shape == (1, 16, 16)


def test_other_ways_to_resize():
    net, x = Classical(), random_images(1, 3, 16, 16)
    with pytest.raises(NetworkError, match="16 x 16 but not of 32 x 32"):
        hc.metrics.confidence_by_scale(net, x, 1, factors=(1, 2))
    with pytest.raises(NetworkError, match="16 x 16 but not of 32 x 32"):
        hc.metrics.resolution_sweep(lambda x, t: hc.GradCAM()(net, x, "body.1", t), net, x, 1, factors=(1, 2))
    with pytest.raises(NetworkError, match="16 x 16 but not of 23 x 23"):
        list(multiscale.multi_scale(net, x, "body.1"))
    with pytest.raises(ValueError, match="take a method that keeps the size"):
        hc.UCAG(rho=0.6)(Wide(), random_images(1, 3, 16, 26), "body.1", 1)


class Wide(Classical):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4 * 8 * 13, 5).eval()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        KeyboardInterrupt(),
        RuntimeError("CUDA error: device-side assert triggered"),
        KeyError("own"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] can't allocate memory"),
    ],
)
def test_what_is_not_about_the_images_passes_as_it_is(error):
    class Fails(TinyNet):
        def forward(self, images):
            raise error

    for call in (
        lambda net, x: forward(net, x),
        lambda net, x: hc.HolisticCAM()(net, x, "relu1"),
        lambda net, x: hc.metrics.insertion(net, x, x[:, 0]),
    ):
        with pytest.raises(type(error)) as caught:
            call(Fails(), random_images(1, 3, 8, 8))
        assert caught.value is error


@pytest.mark.parametrize("name", ["normgrad", "w-grad-cam"])
def test_maps_that_leave_the_range_of_numbers(name):
    with pytest.raises(ValueError, match="map holds NaN or infinite values.*normalised"):
        maps(name, TinyNet(), random_images(1, 3, 8, 8) * 1e30, 1)


@every
def test_a_target_that_gives_nan(name):
    if name not in ("random", "center", "sobel", "ground-truth"):
        with pytest.raises(ValueError, match="NaN|callable"):
            maps(name, TinyNet(), random_images(1, 3, 24, 40), lambda z: z[:, 0] * torch.nan)


# Autocast ------------------------------------------------------------------------------------------

RELEVANCE = ("lrp", "c-lrp", "sglrp", "relevance-cam", "mwp", "c-mwp", "rap", "agf")


class Autocast(nn.Module):
    """The network alone in bfloat16, what is made of its numbers not."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, images):
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(images)


@every
def test_inside_autocast_only_the_network_is(name):
    net, x = TinyNet(), random_images(2, 3, 24, 40)
    where = layers(name)
    inside = where and (f"net.{where}" if isinstance(where, str) else tuple(f"net.{n}" for n in where))
    ready = explainer(name)
    if name == "rsp":  # its start is Grad-CAM's, its walk is computed in float32
        want = None
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            want = ready(net, x, where, 1) if name in RELEVANCE else ready(Autocast(net), x, inside, 1)
    with torch.autocast("cpu", torch.bfloat16):
        got = maps(name, net, x, 1)
        assert torch.is_autocast_enabled("cpu")
    assert got.dtype == torch.float32 and got.numpy().shape == (2, 24, 40)
    assert want is None or torch.equal(got, want)


@pytest.mark.parametrize("name", hc.metrics.registry)
def test_scores_inside_autocast(name, world):
    images, found, given = world
    net = TinyNet(classes=10)
    given = given | {"explain": lambda x, target: hc.GradCAM()(net, x, "relu1", target)}
    given |= {"reference": found.flip(1)} if name == "shortcut-contrast" else {}
    want = hc.metrics.registry[name](
        Autocast(net),
        images,
        found,
        3,
        **given | {"explain": lambda x, target: hc.GradCAM()(Autocast(net), x, "net.relu1", target)},
    )
    with torch.autocast("cpu", torch.bfloat16):
        got = hc.metrics.registry[name](net, images, found, 3, **given)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_parts_of_methods_inside_autocast():
    A, W = random_images(2, 4, 9, 9), random_images(2, 4, 9, 9, seed=1)
    pictures = random_images(1, 40, 40).abs()
    for call in (
        lambda: hc.fusion.fuse([A, A], [W, W], (31, 33)),
        lambda: hc.lowpass.low_pass(pictures, 257, 3),
        lambda: capture(TinyNet(), A[:, :3], "relu1", 1).logits * 0,
    ):
        want = call()
        with torch.autocast("cpu", torch.bfloat16):
            got = call()
        assert got.dtype == torch.float32 and torch.equal(got, want)


def test_autocast_of_the_caller_stays_as_it_was():
    net = TinyNet()
    x = random_images(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        hc.metrics.insertion(net, x, x[:, 0], 1)
        with pytest.raises(ValueError, match="target must lie in 0"):
            hc.GradCAM()(net, x, "relu1", 99)
        assert torch.is_autocast_enabled("cpu") and net.fc(torch.zeros(1, 8)).dtype == torch.bfloat16
        net(x).sum().backward()  # casts that were made without a graph are not handed on
    assert all(p.grad is not None for p in net.parameters())
    assert not torch.is_autocast_enabled("cpu")


# Threads -------------------------------------------------------------------------------------------


def in_threads(*works) -> list[BaseException]:
    errors = []

    def run(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_threads_share_a_network():
    """Four threads, two of them by way of a network that holds this one; sanity checks change its weights."""
    net, x = TinyNet(), random_images(2, 3, 24, 24)
    wrapped = nn.Sequential(nn.Identity(), net).eval()
    kinds = ("grad-cam", "guided-backprop", "lrp", "ucag", "score-cam", "relevance-cam", "smoothgrad")
    ready = {name: explainer(name) for name in kinds}
    want = {name: maps(name, net, x, 1) for name in kinds}
    weights = {key: value.clone() for key, value in net.state_dict().items()}
    seed = torch.get_rng_state()
    wrong, explain = [], functools.partial(hc.GradCAM(), layers="relu1")
    random = hc.sanity.randomise(explain, net, x, 1, measures=["spearman"], layers=["fc", "conv2"], keep_maps=True).maps

    def work(k, holder, prefix):
        for i in range(14):
            name = kinds[(k + i) % len(kinds)]
            where = None if layers(name) is None else prefix + layers(name)
            if not torch.equal(ready[name](holder, x, where, 1), want[name]):
                wrong.append(name)

    def check():
        for _ in range(3):
            if not torch.equal(
                hc.sanity.randomise(
                    explain, net, x, 1, measures=["spearman"], layers=["fc", "conv2"], keep_maps=True
                ).maps,
                random,
            ):
                wrong.append("randomise")

    errors = in_threads(
        *[functools.partial(work, k, *((wrapped, "1.") if k % 2 else (net, ""))) for k in range(4)], check, check
    )
    assert not errors and not wrong
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), seed) and all(p.requires_grad for p in net.parameters())


def test_threads_with_networks_of_their_own_do_not_wait():
    one, other, met = TinyNet(), ColourNet(), threading.Barrier(2, timeout=20)

    def hold(net):
        with turn(net):
            met.wait()  # both are inside at once

    assert not in_threads(lambda: hold(one), lambda: hold(other))


def test_threads_that_would_wait_for_each_other_for_ever():
    one, other, met = TinyNet(), ColourNet(), threading.Barrier(2, timeout=20)

    def hold(first, second):
        with turn(first):
            met.wait()
            with turn(second):
                pass

    (error,) = in_threads(lambda: hold(one, other), lambda: hold(other, one))
    assert isinstance(error, RuntimeError) and "the same order" in str(error)
    with turn(one, other):
        pass


def test_a_network_can_still_be_copied_and_stored():
    import copy
    import pickle

    net = TinyNet()
    keys = set(vars(net))
    hc.GradCAM()(net, random_images(1, 3, 8, 8), "relu1")
    assert set(vars(net)) == keys
    pickle.loads(pickle.dumps(copy.deepcopy(net)))
