"""holicam.core.ops: normalise, upsample, targets and scores."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from holicam.core import ops
from tests.helpers.properties import given, settings, st
from tests.twins import slow_twins

finite = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.data())
def test_normalise_fills_zero_to_one_or_gives_zeros(batch, h, w, data):
    values = data.draw(st.lists(finite, min_size=batch * h * w, max_size=batch * h * w))
    maps = torch.tensor(values).reshape(batch, h, w)
    out = ops.normalise(maps)
    assert out.shape == maps.shape
    for before, after in zip(maps, out, strict=True):
        constant = before.max() - before.min() <= 64 * 2**-23 * before.abs().max()
        assert after.min() == 0 and after.max() == (0 if constant else 1)
    torch.testing.assert_close(
        out.double().numpy(), slow_twins.normalise(maps.double().numpy(), 64 * 2**-23), atol=1e-6, rtol=1e-6
    )


def test_normalise_keeps_nan_visible_and_takes_masks():
    maps = torch.tensor([[[0.0, float("nan")]], [[1.0, 3.0]]])
    out = ops.normalise(maps)
    assert out[0].isnan().all() and out[1].tolist() == [[0.0, 1.0]]
    assert ops.normalise(torch.tensor([[[True, False]]])).tolist() == [[[1.0, 0.0]]]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 20), st.integers(1, 20))
def test_upsample_is_the_slow_twin(h, w, height, width):
    maps = torch.randn(2, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(h * 7 + w))
    out = ops.upsample(maps, (height, width))
    assert out.shape == (2, height, width)
    np.testing.assert_allclose(out, slow_twins.upsample(maps.numpy(), (height, width)), atol=1e-10)


def test_upsample_equals_opencv_and_takes_channels():
    maps = torch.randn(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    out = ops.upsample(maps, (33, 40))
    for b, c in np.ndindex(2, 3):
        expected = cv2.resize(maps[b, c].numpy(), (40, 33), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(out[b, c], expected, atol=2e-6)
    assert ops.upsample(maps, [7, 5]) is maps
    with pytest.raises(ValueError, match="maps must be"):
        ops.upsample(maps[0, 0], (9, 9))


def test_at_least_float32():
    for given_dtype, expected in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.uint8, torch.float32),
    ):
        assert ops.at_least_float32(torch.zeros(1, dtype=given_dtype)).dtype == expected


LOGITS = torch.tensor([[0.0, 3.0, 1.0], [5.0, -1.0, 2.0]])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, [1, 0]),
        (2, [2, 2]),
        ([2, 0], [2, 0]),
        (torch.tensor([1, 1]), [1, 1]),
        (torch.tensor(1), [1, 1]),
        (np.array([0, 2]), [0, 2]),
        (np.int64(2), [2, 2]),
        (torch.tensor([2, 1], dtype=torch.uint8), [2, 1]),
        (torch.tensor([2, 1], dtype=torch.uint16), [2, 1]),
        (np.uint64(2), [2, 2]),
    ],
)
def test_targets(target, expected):
    chosen = ops.resolve_target(LOGITS, target)
    assert chosen.dtype == torch.long and chosen.tolist() == expected
    scores = ops.select_score(LOGITS, chosen)
    assert scores.tolist() == [LOGITS[b, c].item() for b, c in enumerate(expected)]


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (3, ValueError, r"0\.\.2 .*3"),
        (-1, ValueError, r"0\.\.2"),
        ([0], ValueError, r"\(2,\)"),
        ([[0, 1]], ValueError, r"\(2,\)"),
        ([0, 7], ValueError, r"\[0, 7\]"),
        (1.5, TypeError, "1.5"),
        ("cat", TypeError, "cat"),
        (True, TypeError, "True"),
        (torch.tensor([0.0, 1.0]), TypeError, "class index"),
        ([], TypeError, "class index"),
        (torch.tensor([0, 1]).to_sparse(), TypeError, "class index"),
        (torch.tensor([0, 1], device="meta"), TypeError, "class index"),
    ],
)
def test_bad_targets(target, error, words):
    with pytest.raises(error, match=words):
        ops.resolve_target(LOGITS, target)


def test_the_target_is_a_copy():
    mine = torch.tensor([0, 1])
    chosen = ops.resolve_target(LOGITS, mine)
    mine += 1
    assert chosen.tolist() == [0, 1]


def test_scores():
    target = torch.tensor([1, 1])
    prob = ops.select_score(LOGITS, target, "prob")
    torch.testing.assert_close(prob, LOGITS.softmax(1)[:, 1])
    one = torch.tensor([[0.5], [-2.0]])
    torch.testing.assert_close(ops.select_score(one, torch.tensor([0, 0]), "prob"), one[:, 0].sigmoid())
    assert ops.select_score(LOGITS.bfloat16(), target).dtype == torch.float32
    difference = ops.select_score(LOGITS, lambda s: s[:, 0] - s[:, 1])
    assert difference.tolist() == [-3.0, 6.0]
    seen = ops.select_score(LOGITS, lambda s: s.sum(1), "prob")
    torch.testing.assert_close(seen, torch.ones(2))


def test_bad_scores():
    with pytest.raises(ValueError, match="'logit', 'prob', 'sigmoid'; got 'softmax'"):
        ops.select_score(LOGITS, torch.tensor([0, 0]), "softmax")
    with pytest.raises(ValueError, match=r"\(2,\); got \(2, 3\)"):
        ops.select_score(LOGITS, lambda s: s)
    with pytest.raises(ValueError, match="got float"):
        ops.select_score(LOGITS, lambda s: 1.0)
    with pytest.raises(ValueError, match="callable"):
        ops.resolve_target(torch.zeros(2, 3, 4, 4), None)
