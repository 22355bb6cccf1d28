"""holicam.methods.cams.holistic: Holistic-CAM and CAMERAS against a slow twin, and what must hold for both."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from holicam import ActivationSum, GradCAM, GradCAMpp, HiResCAM, load_model, toyland
from holicam.core import passes as passes_module
from holicam.core.capture import capture
from holicam.core.ops import normalise, upsample
from holicam.experiments.naming import named
from holicam.methods.cams import weights as cam
from holicam.methods.cams.fusion import scale_sizes
from holicam.methods.cams.holistic import CAMERAS, PAPER_SCALES, REFERENCE_SCALES, HolisticCAM, multi_scale
from holicam.methods.cams.lowpass import low_pass
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, colour_image, random_images
from tests.helpers.properties import given, settings, st
from tests.twins import slow_holistic as slow

SCALES = (1, 1.5, 1.8)
SMALL = {"scales": SCALES, "median": 5, "mean": 7}
LAYERS = ["relu0", "relu1", "relu2"]


def tiny(**options):
    return TinyNet(**options).double()


def images(batch=2, height=14, width=17, seed=0):
    return random_images(batch, 3, height, width, seed=seed, dtype=torch.float64)


class Fickle(TinyNet):
    """A bias towards class 1 that wins on some images at their own size, and on none larger."""

    def forward(self, x):
        return super().forward(x) + 1.1 * torch.eye(5, dtype=x.dtype)[1]


class NoGradient(TinyNet):
    """Logits that do not move with the features at all."""

    def forward(self, x):
        return super().forward(x) * 0 + torch.arange(5.0)


# Against the slow twin.


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("explainer", "twin"),
    [
        (HolisticCAM(**SMALL), {}),
        (HolisticCAM(**SMALL, eps=1e-2), {"eps": 1e-2}),
        (HolisticCAM(preset="paper", **SMALL), {"eps": 1e-5, "mode": "bilinear", "affine": False}),
        (HolisticCAM(preset="reference", **SMALL), {"quantize": True, "stretch": True}),
    ],
    ids=["default", "eps", "paper", "reference"],
)
def test_every_stage_is_the_slow_one(explainer, twin, layer):
    net, x = tiny(), images()
    got = explainer(net, x, layer, intermediate=True)
    maps = explainer(net, x, layer)
    for b in range(2):
        expected = slow.holistic(net, x[b], layer, sizes=scale_sizes((14, 17), SCALES), **twin)
        stages = (got.fused, got.fundamental, got.low_pass, got.map)
        for mine, theirs in zip((*stages, maps), (*expected, expected[-1]), strict=True):
            np.testing.assert_allclose(mine[b].numpy(), theirs, rtol=1e-9, atol=1e-12 * np.abs(theirs).max())


@pytest.mark.parametrize("target", [None, 3])
def test_cameras_is_the_slow_one(target):
    net, x = tiny(), images(1)
    got = CAMERAS(scales=SCALES)(net, x, "relu1", target)
    expected = slow.cameras(net, x[0], "relu1", target, sizes=scale_sizes((14, 17), SCALES))
    np.testing.assert_allclose(got[0].numpy(), expected, rtol=1e-9, atol=1e-15)


def test_skipping_scales_is_the_slow_one_image_by_image():
    net, x = Fickle().double(), images(4)
    explainer = HolisticCAM(**SMALL, skip_mismatched=True)
    tops = torch.stack([c.logits.argmax(1) for c in multi_scale(net, x, "relu1", None, SCALES)], 1)
    kept = (tops == tops[:, :1]).sum(1)
    assert len(kept.unique()) > 1, "the images must keep different scales"
    got = explainer(net, x, "relu1")
    for b in range(4):
        expected = slow.holistic(net, x[b], "relu1", sizes=scale_sizes((14, 17), SCALES), skip=True)
        np.testing.assert_allclose(got[b].numpy(), expected[-1], rtol=1e-9, atol=1e-20)
    everything = dataclasses.replace(explainer, skip_mismatched=False)(net, x, "relu1")
    changed = (everything - got).abs().amax((1, 2)) > 1e-9 * got.abs().amax((1, 2))
    assert torch.equal(changed, kept < len(SCALES))


@pytest.mark.parametrize("target", [None, 3])
def test_the_authors_drop_scales_where_no_class_is_given(target):
    """So does preset="reference", unless it is told otherwise; the others keep all scales."""
    net, x = Fickle().double(), images(4)
    top = torch.stack([c.logits.argmax(1) for c in multi_scale(net, x, "relu1", None, SCALES)], 1)
    assert 0 < (top == top[:, :1]).all(1).sum() < 4, "some images must lose scales, not all"
    sizes = scale_sizes((14, 17), SCALES)
    for explainer, twin in (
        (
            HolisticCAM(preset="reference", **SMALL),
            lambda x, skip: slow.holistic(net, x, "relu1", target, sizes=sizes, quantize=True, stretch=True, skip=skip)[
                -1
            ],
        ),
        (
            CAMERAS(preset="reference", scales=SCALES),
            lambda x, skip: normalise(
                torch.tensor(slow.cameras(net, x, "relu1", target, sizes=sizes, skip=skip))
            ).numpy(),
        ),
    ):
        got = explainer(net, x, "relu1", target)
        passes = list(multi_scale(net, x, "relu1", target, SCALES))
        torch.testing.assert_close(explainer.from_passes(passes, (14, 17), target)["relu1"], got)
        for b in range(4):
            np.testing.assert_allclose(got[b].numpy(), twin(x[b], target is None), rtol=1e-9, atol=1e-9)
        own = {
            skip: dataclasses.replace(explainer, skip_mismatched=skip)(net, x, "relu1", target)
            for skip in (True, False)
        }
        assert torch.equal(own[target is None], got) and not torch.allclose(own[target is not None], got)
    for plain in (HolisticCAM(**SMALL), HolisticCAM(preset="paper", **SMALL), CAMERAS(scales=SCALES)):
        assert plain.skip_mismatched is False
        assert torch.equal(plain(net, x, "relu1"), plain(net, x, "relu1", net(x).argmax(1)))


# Identities.


def test_without_pge_and_fsd_and_with_relu_it_is_cameras():
    net, x = tiny(), images()
    plain = HolisticCAM(scales=SCALES, pge=False, fsd=False)(net, x, LAYERS)
    cameras = CAMERAS(scales=SCALES)(net, x, LAYERS)
    assert min(m.min() for m in plain.values()) < 0
    for layer in LAYERS:
        torch.testing.assert_close(plain[layer].relu(), cameras[layer])
    signed = CAMERAS(scales=SCALES, relu=False)(net, x, LAYERS)
    torch.testing.assert_close(signed, plain)


def test_one_scale_is_the_fundamental_map():
    net, x = tiny(), images()
    got = HolisticCAM(**{**SMALL, "scales": (1,)})(net, x, "relu1", intermediate=True)
    torch.testing.assert_close(got.fused, got.fundamental)
    torch.testing.assert_close(got.scales[:, 0], got.fundamental)
    c = capture(net, x, "relu1")
    A, G = c.A["relu1"], c.G["relu1"]
    by_hand = (upsample(A, (14, 17)) * upsample(cam.pge(A, G), (14, 17))).sum(1)
    torch.testing.assert_close(got.fundamental, by_hand)


def test_one_scale_of_cameras_is_grad_cam_where_gradients_are_constant():
    net, x = ColourNet().double(), colour_image()
    h, w = x.shape[-2:]
    got = CAMERAS(scales=(1,))(net, x, "box", 1)
    torch.testing.assert_close(got, GradCAM()(net, x, "box", 1))
    assert got.shape == (1, h, w) and got.max() > 0


@pytest.mark.parametrize(
    ("options", "single"),
    [
        ({"weighting": "none"}, ActivationSum(relu=False)),
        ({"weighting": "channel"}, GradCAMpp(relu=False)),
        ({"weighting": "channel", "pge": False}, GradCAM(relu=False)),
        (
            {"weighting": "channel", "eps": 0.1, "eps_mode": "relative"},
            GradCAMpp(eps=0.1, eps_mode="relative", relu=False),
        ),
    ],
)
def test_channel_wise_weightings_at_one_scale_are_the_single_scale_cams(options, single):
    net, x = tiny(), images()
    got = HolisticCAM(scales=(1,), fsd=False, **options)(net, x, "relu1")
    torch.testing.assert_close(got, single(net, x, "relu1"))


def test_weightings_differ_and_the_default_is_element_wise_pge():
    net, x = tiny(), images()
    maps = [HolisticCAM(**SMALL, weighting=w)(net, x, "relu0") for w in ("element", "channel", "none")]
    maps = [m / m.abs().max() for m in maps]
    assert all((maps[a] - maps[b]).abs().max() > 0.05 for a, b in ((0, 1), (0, 2), (1, 2)))
    torch.testing.assert_close(
        HolisticCAM(**SMALL)(net, x, "relu0"), HolisticCAM(**SMALL, weighting="element")(net, x, "relu0")
    )
    assert torch.equal(
        HolisticCAM(scales=(1,), fsd=False, pge=False)(net, x, "relu0"),
        HolisticCAM(scales=(1,), fsd=False, pge=False)(net, x, ["relu0"])["relu0"],
    )
    torch.testing.assert_close(
        HolisticCAM(scales=(1,), fsd=False, pge=False)(net, x, "relu0"), HiResCAM(relu=False)(net, x, "relu0")
    )  # relu0 has the input's size


def test_the_stages_make_up_the_map():
    net, x = tiny(), images()
    for fsd in (True, False):
        s = HolisticCAM(**SMALL, fsd=fsd)(net, x, "relu1", intermediate=True)
        torch.testing.assert_close(s.map, s.fused * s.low_pass if fsd else s.fused)
        torch.testing.assert_close(s.low_pass, low_pass(s.fundamental, 5, 7))
        assert s.scales.shape == (2, 3, 14, 17)
        assert all(m.shape == (2, 14, 17) for m in (s.filtered, s.median))
    with pytest.raises(ValueError, match="CAMERAS has no stages"):
        CAMERAS(scales=(1,))(net, x, "relu1", intermediate=True)


def test_passes_are_shared_by_ablations_and_layers(monkeypatch):
    net, x = tiny(), images()
    passes = list(multi_scale(net, x, LAYERS, None, SCALES))
    for explainer in (
        HolisticCAM(**SMALL),
        HolisticCAM(**SMALL, pge=False),
        HolisticCAM(**SMALL, fsd=False),
        CAMERAS(scales=SCALES),
    ):
        got = explainer.from_passes(passes, (14, 17))
        torch.testing.assert_close(got, explainer(net, x, LAYERS))
    count = []
    monkeypatch.setattr(passes_module, "capture", lambda *a, **k: (count.append(1), capture(*a, **k))[1])
    HolisticCAM(**SMALL)(net, x, LAYERS)
    assert len(count) == len(SCALES)


def test_the_target_is_that_of_the_original_image_at_every_scale():
    net, x = Fickle().double(), images(4)
    passes = list(multi_scale(net, x, "relu1", None, SCALES))
    assert any((c.logits.argmax(1) != passes[0].target).any() for c in passes)
    assert all(torch.equal(c.target, passes[0].logits.argmax(1)) for c in passes)
    got = HolisticCAM(**SMALL)(net, x, "relu1")
    assert torch.equal(got, HolisticCAM(**SMALL)(net, x, "relu1", passes[0].target))
    chosen = HolisticCAM(**SMALL)(net, x, "relu1", [0, 1, 2, 3])
    called = HolisticCAM(**SMALL)(net, x, "relu1", lambda logits: logits.diagonal())
    torch.testing.assert_close(chosen, called)


def test_flipping_a_symmetric_network_flips_the_map():
    net, x = ColourNet().double(), colour_image(12, 12)
    for explainer in (HolisticCAM(**SMALL), CAMERAS(scales=SCALES)):
        got = explainer(net, x, "relu", 0)
        torch.testing.assert_close(explainer(net, x.flip(3), "relu", 0).flip(2), got)


# Batches, types, sizes, degenerate input.


@pytest.mark.parametrize(
    "explainer",
    [
        HolisticCAM(**SMALL),
        HolisticCAM(preset="paper", **SMALL),
        HolisticCAM(preset="reference", **SMALL),
        HolisticCAM(**SMALL, skip_mismatched=True),
        HolisticCAM(**SMALL, weighting="channel"),
        HolisticCAM(**SMALL, eps_mode="relative", eps=0.1),
        CAMERAS(preset="reference", scales=SCALES),
        CAMERAS(scales=SCALES, skip_mismatched=True),
    ],
    ids=lambda e: repr(e)[:30],
)
def test_a_batch_is_its_singles(explainer):
    net, x = Fickle().double(), images(3)
    together = explainer(net, x, LAYERS)
    for b in range(3):
        alone = explainer(net, x[b : b + 1], LAYERS)
        for layer in LAYERS:
            torch.testing.assert_close(together[layer][b : b + 1], alone[layer], rtol=1e-9, atol=1e-15)


@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_in_place_relus_do_no_harm():
    x = images()
    for explainer in (HolisticCAM(**SMALL), CAMERAS(scales=SCALES)):
        expected = explainer(tiny(), x, ["bn0", "relu1"])
        torch.testing.assert_close(explainer(tiny(inplace=True), x, ["bn0", "relu1"]), expected)
    branches = [BranchNet(inplace=inplace).double() for inplace in (False, True)]
    maps = [HolisticCAM(**SMALL, activation_sum="relu")(net, x, "left") for net in branches]
    torch.testing.assert_close(*maps)


def test_types_and_the_network_is_left_alone():
    net, x = TinyNet(), images().float()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    single = HolisticCAM(**SMALL)(net, x, "relu1")
    assert single.dtype == torch.float32 and not single.requires_grad
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())
    exact = HolisticCAM(**SMALL)(tiny(), x.double(), "relu1")
    assert exact.dtype == torch.float64
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-4 * exact.max().item())
    half = HolisticCAM(**SMALL)(TinyNet().bfloat16(), x.bfloat16(), "relu1")
    assert half.dtype == torch.float32 and half.isfinite().all()
    assert torch.corrcoef(torch.stack([half.flatten(), single.flatten()]))[0, 1] > 0.95
    with torch.no_grad():
        assert torch.equal(HolisticCAM(**SMALL)(net, x, "relu1"), single)
    with pytest.raises(ValueError, match="training mode"):
        HolisticCAM(**SMALL)(net.train(), x, "relu1")


def test_size_and_layers_arguments():
    net, x = tiny(), images()
    explainer = HolisticCAM(**SMALL)
    own = explainer(net, x, "relu2")
    assert own.shape == (2, 14, 17)
    assert torch.equal(explainer(net, x, "relu2", size="native"), own)
    torch.testing.assert_close(explainer(net, x, "relu2", size=(28, 20)), upsample(own, (28, 20)))
    both = explainer(net, x, ["relu2", "relu0"])
    assert list(both) == ["relu2", "relu0"] and torch.equal(both["relu2"], own)
    with pytest.raises(KeyError):
        explainer(net, x, "relu9")
    named = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten()
        )
    ).double()
    named.eval()
    assert torch.equal(explainer(named, x), explainer(named, x, "features"))


@settings(max_examples=8, deadline=None)
@given(st.integers(4, 24), st.integers(4, 24), st.sampled_from(["default", "paper", "reference"]), st.integers(0, 9))
def test_any_image_size_gives_finite_maps_of_that_size(height, width, preset, seed):
    x = images(1, height, width, seed)
    maps = HolisticCAM(preset=preset, scales=(1, 1.4))(tiny(), x, LAYERS)
    assert all(m.shape == (1, height, width) and m.isfinite().all() for m in maps.values())
    cameras = CAMERAS(scales=(1, 1.4))(tiny(), x, LAYERS)
    assert all((m >= 0).all() for m in cameras.values())


@pytest.mark.parametrize(
    "explainer",
    [HolisticCAM(preset=p, **SMALL) for p in ("default", "paper", "reference")]
    + [CAMERAS(preset="reference", scales=SCALES)],
    ids=repr,
)
def test_no_gradient_and_no_activation_give_zeros(explainer):
    zero = explainer(NoGradient().double(), images(), LAYERS)
    assert all((m == 0).all() for m in zero.values())
    dead = tiny()
    nn.init.constant_(dead.bn1.weight, 0)
    nn.init.constant_(dead.bn1.bias, -1)
    assert (explainer(dead, images(), "relu1") == 0).all()


def test_a_constant_fundamental_map_wraps_nothing_away():
    net, x = ColourNet(window=1).double(), torch.ones(1, 3, 10, 10, dtype=torch.float64)
    got = HolisticCAM(**SMALL)(net, x, "box", 0, intermediate=True)
    assert (got.low_pass == 1).all() and (got.map == got.fused).all()


# The dataclasses.


def test_presets_fill_only_what_is_left_open_and_repr_shows_it():
    default, fast, paper, reference = (HolisticCAM(preset=p) for p in ("default", "fast", "paper", "reference"))
    assert default == HolisticCAM() and hash(default) == hash(HolisticCAM())
    assert (default.eps, default.scales, default.interpolation) == (1e-6, REFERENCE_SCALES, "bicubic")
    assert (default.clip, default.quantize, default.normalise) == (True, False, False)
    assert (default.median, default.mean, default.fsd, default.pge) == (51, 91, True, True)
    assert (paper.eps, paper.scales, paper.interpolation) == (1e-5, PAPER_SCALES, "bilinear")
    assert (paper.clip, paper.quantize, len(paper.scales)) == ("raw", False, 7)
    assert (reference.quantize, reference.normalise, reference.eps) == (True, True, 1e-6)
    assert (fast.quantize, fast.scales) == (True, REFERENCE_SCALES[: len(fast.scales)]) and len(fast.scales) < 8
    assert dataclasses.replace(fast, preset="default", quantize=False, scales=REFERENCE_SCALES) == default
    assert HolisticCAM(preset="paper", eps=0.5, clip=True).eps == 0.5
    assert HolisticCAM(preset="paper", clip=True).clip is True
    assert HolisticCAM(preset="paper", clip=False).clip is False
    assert (CAMERAS().scales, CAMERAS(preset="paper").scales) == (REFERENCE_SCALES, PAPER_SCALES)
    for explainer in (default, fast, paper, reference, CAMERAS(preset="reference")):
        for field in dataclasses.fields(explainer):
            value = getattr(explainer, field.name)
            assert value is not None or explainer.preset == "reference" and field.name == "skip_mismatched"
            assert f"{field.name}={value!r}" in repr(explainer)
        assert eval(repr(explainer)) == explainer
    with pytest.raises(dataclasses.FrozenInstanceError):
        default.eps = 1


def test_rows_of_the_fast_preset_have_a_name_of_their_own():
    fast, default = (named(HolisticCAM(preset=p)) for p in ("fast", "default"))
    assert (
        default == "HolisticCAM()" and "preset='fast'" in fast and "scales=[1.0, " in fast and "quantize=True" in fast
    )


def test_the_fast_map_is_the_default_one_for_a_fraction():
    """On two images, the bound that benchmarks/fast.py sets for a hundred."""
    net, batch = load_model("toy-resnet50"), toyland.batch(2, split="test")
    stages = ["layer1", "layer2", "layer3", "layer4"]
    fast, default = (HolisticCAM(preset=p)(net, batch.images, stages, batch.target) for p in ("fast", "default"))
    for layer in stages:
        r = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(fast[layer], default[layer], strict=True)]
        assert 0.95 < np.mean(r) < 0.9999, f"{layer}: {r}"
    cost = [sum(s * s for s in HolisticCAM(preset=p).scales) for p in ("fast", "default")]
    assert 5 * cost[0] < cost[1]


def test_reference_normalises_and_default_does_not():
    net, x = tiny(), images()
    raw, final = (HolisticCAM(preset=p, **SMALL)(net, x, "relu1") for p in ("default", "reference"))
    assert raw.max() < 0.5
    assert final.amax((1, 2)).eq(1).all() and final.amin((1, 2)).eq(0).all()
    assert torch.equal(normalise(final), final)


def test_kernels_can_follow_the_image():
    net, x = tiny(), images()
    options = {"scales": (1,), "scale_kernels": True}
    assert torch.equal(
        HolisticCAM(**options, median=51, mean=91)(net, x, "relu1"),
        HolisticCAM(scales=(1,), median=3, mean=5)(net, x, "relu1"),
    )  # 3.2, 5.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "papr"}, "preset must be one of 'default', 'fast', 'paper', 'reference'; got 'papr'"),
        ({"scales": ()}, "scales must be one or more positive ratios"),
        ({"scales": (1, 0)}, "scales must be one or more positive ratios"),
        ({"scales": (2, 1)}, "scales must begin with 1"),
        ({"median": 50}, "median must be an odd number of pixels, such as 51; got 50"),
        ({"mean": -1}, "mean must be an odd number"),
        ({"eps": -1.0}, "eps must be a number of at least 0"),
        ({"eps": True}, "eps must be a number of at least 0"),
        ({"weighting": "pixel"}, "weighting must be one of 'none', 'channel', 'element'"),
        ({"interpolation": "nearest"}, "interpolation must be one of 'bicubic', 'bilinear'"),
        ({"clip": "half"}, "clip must be one of True, False, 'raw'"),
        ({"preset": "paper", "quantize": True}, "quantize needs maps in"),
        ({"eps_mode": "rel"}, "eps_mode must be one of"),
        ({"activation_sum": "abs"}, "activation_sum must be one of"),
        ({"score": "loss"}, "score must be one of 'logit', 'prob'"),
    ],
)
def test_bad_fields_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        HolisticCAM(**options)


class Dense(nn.Module):
    """Logits for every place, (B, K, h, w): there is no one class to compare between scales."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.c, self.out = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 1)

    def forward(self, x):
        return self.out(self.c(x).relu())


@pytest.mark.parametrize("explainer", [CAMERAS, HolisticCAM])
def test_scales_of_a_network_that_names_no_class_all_stay(explainer):
    net, images = Dense().eval(), random_images(2, 3, 16, 20)
    asked = {"scales": (1, 1.5), "relu": False} if explainer is CAMERAS else {"scales": (1, 1.5)}
    found, wanted = (
        explainer(skip_mismatched=skip, **asked)(net, images, "c", lambda z: z[:, 0].mean((1, 2)))
        for skip in (True, False)
    )
    torch.testing.assert_close(found, wanted)
