"""Ranks and ties: against the slow twin, independent of batch, device and library."""

import numpy as np
import pytest
import torch

from holicam.metrics.ranking import DEGENERATE, TIES, id_words, pixel_hash, rank
from tests.helpers.properties import given, settings, st
from tests.twins import slow_metrics as slow

IDS = ["n01440764/1", "n01440764/2", 3, "a longer name, with ä"]


def plateaus(batch=4, height=7, width=9, seed=0):
    """Maps of few values, a third of them zero."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-2, 3, (batch, height, width), generator=generator).float() / 2


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("tie", ["hash", "raster", "reverse_raster"])
def test_slow_twin(tie, seed):
    maps = plateaus()
    found = rank(maps, ids=IDS, tie=tie, seed=seed)
    for b, name in enumerate(IDS):
        wanted = slow.ranks(maps[b].numpy(), name, tie, seed)
        assert np.array_equal(found.ranks[b].numpy(), wanted)
        assert found.tie_fraction[b].item() == pytest.approx(slow.tie_fraction(maps[b].numpy()))
        assert found.zero_fraction[b].item() == pytest.approx((maps[b] == 0).float().mean().item())
    assert found.ranks.dtype == torch.int32 and found.degenerate.tolist() == [0] * 4


def test_hash_is_what_it_was():
    """Stored rows depend on these numbers: they never change."""
    found = pixel_hash(id_words(["image"], 1), 4, torch.device("cpu"))[0].tolist()
    assert found == [slow.pixel_key("image", p) for p in range(4)]
    assert found == [3025674061, 2125573287, 855646720, 28042040]


def test_hash_is_unbiased():
    """Over many ids each of 64 pixels is as often first as last; two ids have nothing in common."""
    ids = [f"image {i}" for i in range(4000)]
    ranks = rank(torch.zeros(4000, 8, 8), ids=ids).ranks.flatten(1).double()
    # The mean of 4000 uniform ranks has a standard deviation of 18.5 / 63 = 0.29.
    assert (ranks.mean(0) - 31.5).abs().max() < 4.5 * 0.29
    correlation = torch.corrcoef(ranks[:300])
    off = correlation[~torch.eye(300, dtype=torch.bool)]
    assert abs(off.mean()) < 0.005 and abs(off.std() - 63**-0.5) < 0.01
    assert len(pixel_hash(id_words(None, 9), 50176, torch.device("cpu"))[0].unique()) > 50170


@pytest.mark.parametrize("tie", TIES)
def test_batch_equals_singles_in_any_order(tie):
    maps, turn = plateaus(), torch.tensor([2, 0, 3, 1])
    together = rank(maps, ids=IDS, tie=tie).ranks
    for b in range(4):
        assert torch.equal(rank(maps[b : b + 1], ids=[IDS[b]], tie=tie).ranks[0], together[b])
        assert torch.equal(rank(maps[b : b + 1], tie=tie).ranks[0], rank(maps, tie=tie).ranks[b])
    turned = rank(maps[turn], ids=[IDS[t] for t in turn], tie=tie).ranks
    assert torch.equal(turned, together[turn])


def test_ids_and_seed_change_ties_only():
    maps = plateaus()
    by_id, by_other = rank(maps, ids=IDS).ranks, rank(maps, ids=IDS[::-1]).ranks
    assert not torch.equal(by_id, by_other)
    assert not torch.equal(by_id, rank(maps, ids=IDS, seed=1).ranks)
    for ranks in (by_id, by_other):  # values fall along the ranks, each rank occurs once
        order = ranks.flatten(1).long().argsort(1)
        assert (maps.flatten(1).gather(1, order).diff(dim=1) <= 0).all()
        assert torch.equal(ranks.flatten(1).sort(1)[0], torch.arange(63).int().expand(4, 63))
    numbers = torch.tensor([11, 12, 13, 14])
    assert torch.equal(rank(maps, ids=numbers).ranks, rank(maps, ids=["11", "12", 13, 14]).ranks)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=12, max_size=12), st.sampled_from(TIES[:3]))
def test_rising_functions_change_nothing(values, tie):
    maps = torch.tensor(values).double().view(1, 3, 4)
    plain = rank(maps, tie=tie).ranks
    assert torch.equal(plain, rank(torch.exp(maps) * 7 - 2, tie=tie).ranks)
    assert torch.equal(plain, rank(maps.float(), tie=tie).ranks)
    assert torch.equal(plain, rank(maps.half(), tie=tie).ranks)


def test_noise_is_one_field_and_shakes_near_ties():
    maps = torch.rand(2, 30, 30, generator=torch.Generator().manual_seed(0))
    maps[1] = 0.5 + 1e-6 * maps[0]
    maps[1, 0, 0], maps[1, 0, 1] = 0.0, 1.0  # the noise is relative to the map's range
    noisy, plain = rank(maps, tie="noise").ranks, rank(maps).ranks
    assert (noisy[0] - plain[0]).abs().max() < 10 and (noisy[1] - plain[1]).abs().max() > 100
    zeros = rank(torch.zeros(2, 30, 30), tie="noise", ids=["a", "b"]).ranks
    assert torch.equal(zeros[0], zeros[1])
    assert not torch.equal(zeros, rank(torch.zeros(2, 30, 30), tie="noise", seed=1).ranks)
    assert rank(maps, tie="noise").tie_fraction.tolist() == rank(maps).tie_fraction.tolist()


def test_degenerate_maps_are_named():
    maps = torch.rand(5, 4, 5)
    maps[1], maps[2], maps[3, 0, 0], maps[4, 1, 1] = 0.3, 0.0, torch.nan, torch.inf
    maps[2, 0, 0] = -0.0
    with pytest.raises(ValueError, match="map 3 holds NaN or infinite values"):
        rank(maps)
    found = rank(maps, on_nan="record")
    assert [DEGENERATE[k] for k in found.degenerate] == ["none", "constant", "zero", "nan", "nan"]
    assert found.broken.tolist() == [False, False, False, True, True]
    assert found.tie_fraction[1:3].tolist() == [1, 1] and found.tie_fraction[3:].isnan().all()
    assert found.zero_fraction[:3].tolist() == [0, 0, 1] and found.zero_fraction[3:].isnan().all()
    for b in range(1, 5):  # all ranked as a constant map, by the hash
        assert np.array_equal(found.ranks[b].numpy(), slow.ranks(np.zeros((4, 5))))


@pytest.mark.gpu
@pytest.mark.parametrize("tie", ["hash", "raster", "reverse_raster"])
def test_same_on_the_gpu(tie):
    maps = plateaus(height=61, width=53)
    maps[0, :9] *= -0.0
    here, there = (rank(m, ids=IDS, tie=tie).ranks.cpu() for m in (maps, maps.cuda()))
    assert torch.equal(here, there)


@pytest.mark.parametrize(
    ("maps", "options", "kind", "says"),
    [
        (torch.rand(2, 1, 4, 4), {}, ValueError, r"maps must be \(B, H, W\)"),
        (torch.rand(0, 4, 4), {}, ValueError, "none of them 0"),
        (torch.ones(2, 4, 4).long(), {}, TypeError, "tensor of floats"),
        (np.ones((2, 4, 4)), {}, TypeError, "got ndarray"),
        (torch.rand(2, 4, 4), {"tie": "random"}, ValueError, "tie must be one of"),
        (torch.rand(2, 4, 4), {"on_nan": "ignore"}, ValueError, "on_nan must be one of"),
        (torch.rand(2, 4, 4), {"ids": ["a"]}, ValueError, "expected 2, got 1"),
        (torch.rand(2, 4, 4), {"ids": "ab"}, TypeError, "ids must be a sequence"),
    ],
)
def test_errors(maps, options, kind, says):
    with pytest.raises(kind, match=says):
        rank(maps, **options)
