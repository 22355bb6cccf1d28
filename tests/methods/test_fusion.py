"""holicam.methods.cams.fusion: the pyramid's sizes, and a fusion that never builds what it averages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holicam.core.ops import upsample
from holicam.methods.cams import fusion
from holicam.methods.cams.fusion import fuse, pyramid, scale_sizes
from holicam.methods.cams.holistic import PAPER_SCALES, REFERENCE_SCALES
from tests.helpers.nets import random_images
from tests.helpers.properties import given, settings, st
from tests.twins import slow_holistic as slow


def layers(sizes, channels=3, batch=2, seed=0, dtype=torch.float64):
    """A >= 0 and signed W at each size."""
    A = [random_images(batch, channels, *s, seed=seed + i, dtype=dtype).relu() for i, s in enumerate(sizes)]
    W = [random_images(batch, channels, *s, seed=seed + 50 + i, dtype=dtype) for i, s in enumerate(sizes)]
    return A, W


def plain(A, W, size):
    """Upsample everything, then average, multiply and add."""
    mean_A = torch.stack([upsample(a, size) for a in A]).mean(0)
    W = [w.expand_as(a) for a, w in zip(A, W, strict=True)]
    mean_W = torch.stack([upsample(w, size) for w in W]).mean(0)
    return (mean_A * mean_W).sum(1)


def spy(monkeypatch):
    """Count the tiles that take either form."""
    seen = {"_gram": 0, "_direct": 0}

    def counted(name, form):
        def count(*args):
            seen[name] += 1
            return form(*args)

        return count

    for name in seen:
        monkeypatch.setattr(fusion, name, counted(name, getattr(fusion, name)))
    return seen


def test_the_two_pyramids_are_those_of_the_code_and_of_the_paper():
    assert scale_sizes((224, 224), REFERENCE_SCALES) == [(s, s) for s in range(224, 925, 100)]
    assert [s for s, _ in scale_sizes((224, 224), PAPER_SCALES)] == [224, 366, 508, 650, 792, 934, 1076]
    assert scale_sizes((225, 100), (1, 1.5, 0.001)) == [(225, 100), (338, 150), (1, 1)]


@pytest.mark.parametrize("scales", [(), (1, 0), (1, -2.0), (float("nan"),), (float("inf"),)])
def test_bad_scales_are_named(scales):
    with pytest.raises(ValueError, match="scales must be one or more positive ratios"):
        scale_sizes((8, 8), scales)


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_the_pyramid_resizes_each_axis_and_leaves_ratio_1_alone(mode):
    images = random_images(2, 3, 10, 14)
    own, wide, small = pyramid(images, (1, 1.5, 0.7), mode)
    assert own is images
    assert wide.shape[-2:] == (15, 21) and small.shape[-2:] == (7, 10)
    torch.testing.assert_close(wide, F.interpolate(images, (15, 21), mode=mode))
    with pytest.raises(ValueError, match="interpolation must be one of 'bicubic', 'bilinear'"):
        next(pyramid(images, (1,), "nearest"))


def test_bicubic_images_are_not_clamped():
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    assert list(pyramid(step, (1, 2)))[1].max() > 1


def test_fusion_is_the_slow_one():
    A, W = layers([(4, 5), (6, 7), (9, 3)])
    got = fuse(A, W, (11, 8))
    for b in range(2):
        expected = slow.fuse([a[b].numpy() for a in A], [w[b].numpy() for w in W], (11, 8))
        np.testing.assert_allclose(got[b].numpy(), expected, atol=1e-12)


def test_the_mean_is_taken_before_the_product():
    A, W = layers([(4, 4), (6, 6)])
    alone = (fuse(A[:1], W[:1], (9, 9)) + fuse(A[1:], W[1:], (9, 9))) / 2
    assert (fuse(A, W, (9, 9)) - alone).abs().max() > 0.1


@pytest.mark.parametrize(
    ("channels", "sizes", "form"), [(64, [(2, 2), (3, 3)], "_gram"), (2, [(30, 31), (40, 20), (33, 33)], "_direct")]
)
def test_both_forms_are_exact_and_each_is_used_where_it_is_cheaper(monkeypatch, channels, sizes, form):
    seen = spy(monkeypatch)
    A, W = layers(sizes, channels)
    torch.testing.assert_close(fuse(A, W, (33, 41)), plain(A, W, (33, 41)))
    assert seen == {"_gram": 0, "_direct": 0, form: 16}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from([1, 3, 40]),
    st.integers(0, 99),
)
def test_any_sizes_are_exact(sizes, size, channels, seed):
    A, W = layers(sizes, channels, seed=seed)
    got = fuse(A, W, size)
    assert got.shape == (2, *size)
    torch.testing.assert_close(got, plain(A, W, size))


def test_float32_stays_close_and_half_types_are_lifted():
    A, W = layers([(7, 7), (11, 11)], 100)
    exact = plain(A, W, (40, 40))
    near = fuse([a.float() for a in A], [w.float() for w in W], (40, 40))
    assert near.dtype == torch.float32
    assert (near - exact).abs().max() < 1e-6 * exact.abs().max()
    half = fuse([a.bfloat16() for a in A], [w.bfloat16() for w in W], (40, 40))
    assert half.dtype == torch.float32 and (half - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("sizes", [[(2, 2), (3, 3)], [(30, 31), (40, 20)]])
def test_chunks_and_batches_do_not_matter(monkeypatch, sizes):
    A, W = layers(sizes, 20, batch=3)
    whole = fuse(A, W, (30, 30))
    torch.testing.assert_close(
        torch.cat([fuse([a[b : b + 1] for a in A], [w[b : b + 1] for w in W], (30, 30)) for b in range(3)]), whole
    )
    for cells, pixels in ((1, 1), (5_000, 2_000)):
        monkeypatch.setattr(fusion, "_CELLS", cells)
        monkeypatch.setattr(fusion, "_PIXELS", pixels)
        torch.testing.assert_close(fuse(A, W, (30, 30)), whole)


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1)])
def test_channel_wise_weights_need_no_upsampling_of_channels(monkeypatch, shape):
    A, _ = layers([(4, 5), (6, 7)])
    W = [random_images(*shape, seed=i, dtype=torch.float64) for i in range(2)]
    expected = plain(A, W, (9, 9))
    monkeypatch.setattr(fusion, "_tiles", None)  # would fail if it were called
    torch.testing.assert_close(fuse(A, W, (9, 9)), expected)


@pytest.mark.parametrize("channel_wise", [False, True])
def test_scales_left_out_leave_no_trace(channel_wise):
    A, W = layers([(4, 5), (6, 7), (8, 8)])
    W = [w.mean((2, 3), keepdim=True) for w in W] if channel_wise else W
    keep = torch.tensor([[True, False, True], [True, True, False]])
    got = fuse(A, W, (9, 9), keep)
    for b, kept in enumerate(([0, 2], [0, 1])):
        alone = fuse([A[t][b : b + 1] for t in kept], [W[t][b : b + 1] for t in kept], (9, 9))
        torch.testing.assert_close(got[b : b + 1], alone)


def test_what_does_not_match_is_named():
    A, W = layers([(4, 5), (6, 7)])
    for bad in ((A, W[:1]), ([], []), (A, W, torch.ones(2, 3))):
        with pytest.raises(ValueError, match="one tensor per scale"):
            fuse(bad[0], bad[1], (9, 9), *bad[2:])
    with pytest.raises(ValueError, match="the shape of A at each scale"):
        fuse(A, [W[0], W[0]], (9, 9))


def test_memory_stays_far_below_the_upsampled_channels():
    """The largest tensor made on the way, for 512 channels at 64 x 64."""
    A, W = layers([(2, 2), (3, 3), (4, 4)], 512, batch=1, dtype=torch.float32)
    largest = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest.append(out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    with Watch():
        fuse(A, W, (64, 64))
    assert max(largest) < 512 * 64 * 64 / 20


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    A, W = layers([(7, 7), (11, 11), (30, 20)], 30)
    got = fuse([a.cuda() for a in A], [w.cuda() for w in W], (40, 50)).cpu()
    torch.testing.assert_close(got, fuse(A, W, (40, 50)))
