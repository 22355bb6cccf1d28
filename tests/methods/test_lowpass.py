"""holicam.methods.cams.lowpass: equal to OpenCV bit for bit on bytes, to slow loops on floats."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from holicam.methods.cams import lowpass
from holicam.methods.cams.lowpass import box_blur, kernel_size, low_pass, low_pass_stages, median_blur
from tests.helpers.properties import given, settings, st
from tests.twins import slow_holistic as slow

SIZES = [(64, 64), (41, 53), (7, 30), (1, 9), (33, 1)]
KERNELS = [1, 3, 5, 9, 21, 51, 91]


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def as_bytes(*shape, seed=0):
    """Random bytes; the second map has four levels only, so that ties abound."""
    maps = (noise(*shape, seed=seed) * 256).byte()
    maps[1:2] //= 64
    return maps


def box_counts(maps, k):
    """The road taken on a GPU."""
    if maps.dtype == torch.uint8:
        return lowpass._median_label(maps.long(), 256, k)[0].byte()
    return lowpass._median_ranked(maps, k)


def opencv(maps, k, filter):
    return torch.from_numpy(np.stack([filter(m.numpy(), k) for m in maps]))


@pytest.mark.parametrize("k", KERNELS)
@pytest.mark.parametrize("size", SIZES)
def test_bytes_equal_opencv_bit_for_bit(size, k):
    maps = as_bytes(2, *size)
    expected = opencv(maps, k, cv2.medianBlur)
    assert torch.equal(median_blur(maps, k), expected)
    assert torch.equal(box_counts(maps, k), expected)
    means = opencv(maps, k, lambda m, k: cv2.blur(m, (k, k)))
    assert torch.equal(box_blur(maps, k), means)


@pytest.mark.parametrize("size", [(224, 224), (225, 227)])
def test_bytes_equal_opencv_at_the_papers_size(size):
    maps = as_bytes(1, *size, seed=3)
    assert torch.equal(median_blur(maps, 51), opencv(maps, 51, cv2.medianBlur))
    assert torch.equal(box_counts(maps, 51), opencv(maps, 51, cv2.medianBlur))
    assert torch.equal(box_blur(maps, 91), opencv(maps, 91, lambda m, k: cv2.blur(m, (k, k))))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("size", "k"), [((20, 23), 3), ((20, 23), 7), ((9, 14), 21), ((1, 6), 5)])
@pytest.mark.parametrize("blur", [median_blur, box_counts])
def test_float_median_is_the_sorted_middle(blur, size, k, dtype):
    maps = noise(2, *size, seed=1).to(dtype) - 0.5
    maps[1] = (maps[1] * 4).round() / 4  # ties
    got = blur(maps, k)
    assert got.dtype == dtype
    for m, g in zip(maps, got, strict=True):
        np.testing.assert_array_equal(g.numpy(), slow.median(m.numpy(), k))


@pytest.mark.parametrize("k", [3, 31, 51, 71, 91])
def test_the_road_of_a_gpu_equals_opencv_on_floats(k):
    """Bit for bit: with 256 levels as OpenCV has them, with four, and with all values different."""
    levels = as_bytes(2, 61, 74, seed=11)
    expected = opencv(levels, k, cv2.medianBlur).float() / 255
    assert torch.equal(box_counts(levels.float() / 255, k), expected)
    for maps in (noise(2, 61, 74, seed=12), noise(1, 61, 74, seed=13).double() - 0.5):
        assert torch.equal(box_counts(maps, k), median_blur(maps, k))


@pytest.mark.parametrize("base", [2, 3, 29, 254])
def test_float_medians_agree_with_any_number_of_digits(monkeypatch, base):
    """Maps of more than 254 ** 2 values need three digits; small bases need as many here."""
    monkeypatch.setattr(lowpass, "_BASE", base)
    maps = noise(2, 28, 31)
    assert torch.equal(median_blur(maps, 9), box_counts(maps, 9))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("size", "k"), [((20, 23), 7), ((9, 14), 31), ((1, 6), 5), ((2, 2), 9)])
def test_float_mean_is_the_slow_mean(size, k, dtype):
    maps = noise(2, *size, seed=2).to(dtype)
    got = box_blur(maps, k)
    assert got.dtype == dtype
    for m, g in zip(maps, got, strict=True):
        np.testing.assert_allclose(
            g.numpy(), slow.mean(m.double().numpy(), k), rtol=1e-6 if dtype == torch.float32 else 1e-12
        )


@pytest.mark.parametrize("blur", [median_blur, box_counts, box_blur])
@pytest.mark.parametrize("maps", [as_bytes(3, 19, 31), noise(3, 19, 31)])
def test_a_batch_is_its_singles_in_any_memory(monkeypatch, blur, maps):
    together = blur(maps, 9)
    assert torch.equal(together, torch.cat([blur(m[None], 9) for m in maps]))
    monkeypatch.setattr(lowpass, "_CELLS", 1)
    assert torch.equal(together, blur(maps, 9))
    turned = maps.transpose(1, 2)  # not contiguous
    assert torch.equal(blur(turned, 9), together.transpose(1, 2))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3, 5, 13]), st.integers(0, 99))
def test_filters_stay_within_the_map_and_commute_with_what_they_must(h, w, k, seed):
    maps = noise(2, h, w, seed=seed) - 0.5
    low, high = maps.amin((1, 2), True), maps.amax((1, 2), True)
    for blur in (median_blur, box_counts, box_blur):
        out = blur(maps, k)
        assert out.shape == maps.shape and ((out >= low) & (out <= high)).all()
        torch.testing.assert_close(blur(maps.flip(1, 2), k), out.flip(1, 2))
        torch.testing.assert_close(blur(-3 * maps, k), -3 * out)  # k * k is odd
    assert torch.equal(median_blur(maps.exp(), k), median_blur(maps, k).exp())
    assert torch.isin(median_blur(maps, k), maps).all()


@pytest.mark.parametrize("clip", [True, "raw"])
def test_low_pass_is_the_slow_one(clip):
    maps = noise(2, 21, 18, seed=5).double() - 0.3
    got = low_pass(maps, 5, 7, clip=clip)
    for m, g in zip(maps.numpy(), got.numpy(), strict=True):
        np.testing.assert_allclose(g, slow.low_pass(m, 5, 7, affine=clip is True), atol=1e-12)


def test_quantised_low_pass_is_the_slow_one_and_opencvs():
    maps = noise(1, 224, 224, seed=6)
    x = ((maps[0] - maps.min()) / (maps.max() - maps.min())).clamp(max=0.5)
    x = ((x - x.min()) / (x.max() - x.min()) * 255).round().byte().numpy()
    expected = cv2.blur(cv2.medianBlur(x, 51), (91, 91))
    got = low_pass(maps, quantize=True)[0] * 255
    assert np.array_equal(got.round().byte().numpy(), expected)
    small = noise(1, 15, 12, seed=7).double()
    np.testing.assert_allclose(
        low_pass(small, 3, 5, quantize=True)[0].numpy(),
        slow.low_pass(small[0].numpy(), 3, 5, quantize=True),
        atol=1e-12,
    )


def test_eq_13_raw_and_stretched_differ_by_an_affine_map():
    maps = noise(2, 30, 26, seed=8) * 5 - 2
    low, high = maps.amin((1, 2), True), maps.amax((1, 2), True)
    raw, stretched = low_pass(maps, 7, 9, clip="raw"), low_pass(maps, 7, 9)
    torch.testing.assert_close((raw - low) / ((high + low) / 2 - low), stretched)


def test_switches_leave_a_stage_out():
    maps = noise(1, 24, 24, seed=9)
    clipped, middle, smooth = low_pass_stages(maps, 5, 7, True, False)
    assert clipped.max() == 1 and clipped.min() == 0
    assert torch.equal(middle, median_blur(clipped, 5))
    assert torch.equal(smooth, box_blur(middle, 7))
    assert torch.equal(low_pass(maps, 0, 7), box_blur(clipped, 7))
    assert torch.equal(low_pass(maps, 5, 0), middle)
    assert torch.equal(low_pass(maps, 0, 0), clipped)
    open_ = low_pass(maps, 0, 0, clip=False)
    assert open_.max() == 1 and not torch.equal(open_, clipped)


@pytest.mark.parametrize("options", [{}, {"clip": "raw"}, {"quantize": True}, {"clip": False}])
def test_a_constant_map_gives_ones_beside_others(options):
    maps = torch.stack([torch.zeros(9, 9), torch.full((9, 9), -2.5), noise(9, 9)])
    got = low_pass(maps, 3, 5, **options)
    assert (got[:2] == 1).all() and (got[2] != 1).any()
    assert torch.equal(got[2:], low_pass(maps[2:], 3, 5, **options))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10), st.integers(1, 10), st.booleans(), st.integers(0, 99))
def test_low_pass_lies_in_0_1_and_ignores_scale(h, w, quantize, seed):
    maps = noise(2, h, w, seed=seed).double()
    got = low_pass(maps, 3, 5, quantize=quantize)
    assert got.shape == maps.shape and ((got >= 0) & (got <= 1 + 1e-12)).all()
    if not quantize:
        torch.testing.assert_close(low_pass(8 * maps - 3, 3, 5), got)


def test_kernel_size_follows_the_shorter_side():
    assert [kernel_size(k, (224, 224)) for k in (0, 1, 51, 91)] == [0, 1, 51, 91]
    assert kernel_size(51, (448, 600)) == kernel_size(51, (600, 448)) == 101
    assert kernel_size(51, (128, 128)) == 29  # 29.1
    assert kernel_size(3, (8, 8)) == 1


@pytest.mark.parametrize("k", [0, 2, -3, 4.0, True, None])
def test_a_kernel_that_is_not_odd_is_named(k):
    for name, blur in (("median", median_blur), ("mean", box_blur)):
        with pytest.raises(ValueError, match=f"{name} must be an odd number of pixels"):
            blur(noise(1, 5, 5), k)
    if k != 0 or isinstance(k, bool):
        with pytest.raises(ValueError, match="median must be an odd"):
            low_pass(noise(1, 5, 5), median=k)


def test_other_bad_input_is_named():
    with pytest.raises(ValueError, match=r"maps must be \(B, H, W\).*\(5, 5\)"):
        median_blur(noise(5, 5), 3)
    with pytest.raises(TypeError, match="floating or uint8; got torch.int64"):
        box_blur(torch.zeros(1, 5, 5, dtype=torch.long), 3)
    with pytest.raises(ValueError, match="clip must be one of True, False, 'raw'"):
        low_pass(noise(1, 5, 5), clip="half")
    with pytest.raises(ValueError, match="does not go with clip='raw'"):
        low_pass(noise(1, 5, 5), clip="raw", quantize=True)


def test_opencv_is_no_import_of_the_module():
    assert not hasattr(lowpass, "cv2") and not hasattr(lowpass, "np")


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    maps = noise(3, 225, 227, seed=4)
    for m in (maps, (maps * 255).byte()):
        assert torch.equal(median_blur(m.cuda(), 51).cpu(), median_blur(m, 51))
        torch.testing.assert_close(box_blur(m.cuda(), 91).cpu(), box_blur(m, 91))
