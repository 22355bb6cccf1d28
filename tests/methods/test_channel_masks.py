"""holicam.methods.perturbation.channel_masks: what a channel's mask shows and hides, asked once a live channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holicam.core.capture import capture
from holicam.methods.perturbation import channel_masks as masks
from tests.helpers.nets import BranchNet, TinyNet, random_images
from tests.twins import slow_masks


def seen(size=2, layer="relu1", shape=(12, 9), target=None, net=None):
    net = net or TinyNet().double()
    images = random_images(size, 3, *shape, dtype=torch.float64)
    captured = capture(net, images, layer, target, gradients=False)
    return net, images, captured.A[layer], captured


# The masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("stretch", ["after", "before", "percentile"])
def test_masks_are_the_slow_twin(stretch, align_corners):
    maps = random_images(4, 5, 7, dtype=torch.float64)
    maps[1] = 3.0  # constant
    maps[2] -= 10.0  # negative everywhere
    got = masks.soft_masks(maps, (11, 16), stretch, align_corners)
    wanted = [slow_masks.soft_mask(m, (11, 16), stretch, align_corners) for m in maps.numpy()]
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)
    assert (got[1] == 0).all() and got.min() >= 0 and got.max() <= 1 + 1e-12


def test_percentiles_are_numpys():
    maps = random_images(3, 40, 37, dtype=torch.float64).exp()
    x = maps.numpy().reshape(3, -1)
    low, high = np.percentile(x, 0.1, axis=1), np.percentile(x, 99.9, axis=1)
    wanted = np.clip((x - low[:, None]) / high[:, None], 0, 1).reshape(maps.shape)
    np.testing.assert_allclose(masks.percentile(maps), wanted, rtol=1e-12, atol=1e-14)


def test_a_channel_of_the_images_size_is_only_stretched():
    maps = random_images(2, 6, 6)
    assert torch.equal(masks.soft_masks(maps, (6, 6)), masks.normalise(maps))


# The scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["prob", "logit"])
@pytest.mark.parametrize("stretch", ["after", "before", "percentile"])
def test_scores_are_one_forward_each(stretch, kind):
    net, images, A, captured = seen(target=[4, 1])
    A[0, 2], A[1, 5] = 0.0, 0.7  # constant channels
    got, live = masks.channel_scores(
        net, images, A, captured.target, masks.keep_and_drop, 2, stretch=stretch, score=kind, chunk=5
    )
    assert got.shape == (2, 6, 2) and live.tolist() == [[k != 2 for k in range(6)], [k != 5 for k in range(6)]]
    wanted = slow_masks.keep_drop(net, images, A.numpy(), [4, 1], stretch, kind)
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-13)
    for j, vary in enumerate((masks.keep, masks.drop)):
        alone, _ = masks.channel_scores(net, images, A, captured.target, vary, stretch=stretch, score=kind)
        torch.testing.assert_close(alone[..., 0], got[..., j], rtol=1e-11, atol=1e-13)


def test_constant_channels_cost_nothing_and_batches_are_full():
    net, images, A, captured = seen(3)
    A[:, 1], A[2, 4] = 0.0, -2.0
    sizes = []
    handle = net.register_forward_hook(lambda module, inputs, out: sizes.append(len(out)))
    masks.channel_scores(net, images, A, captured.target, masks.keep_and_drop, 2, chunk=8)
    assert sizes == [8, 8, 8, 4]  # 2 variants of 3 x 6 - 4 channels
    sizes.clear()
    scores, live = masks.channel_scores(net, images, torch.ones_like(A), captured.target)
    assert sizes == [] and not live.any() and (scores == 0).all() and scores.shape == (3, 6, 1)
    handle.remove()


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_any_chunk_and_a_batch_equals_its_singles(chunk):
    net, images, A, captured = seen(3, target=[0, 2, 2])
    A[1, 0] = 0.0
    wanted, live = masks.channel_scores(net, images, A, captured.target)
    got, _ = masks.channel_scores(net, images, A, captured.target, chunk=chunk)
    torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-13)
    for b in range(3):
        one, alone = masks.channel_scores(net, images[b : b + 1], A[b : b + 1], captured.target[b : b + 1], chunk=chunk)
        torch.testing.assert_close(one[0], wanted[b], rtol=1e-11, atol=1e-13)
        assert torch.equal(alone[0], live[b])


def test_a_variant_knows_its_number_and_channel():
    net, images, A, captured = seen(2)
    heard = []

    def vary(x, u, variant, channel):
        assert x.shape == (len(variant), 3, 12, 9) and u.shape == (len(variant), 1, 12, 9)
        heard.extend(zip(channel.tolist(), variant.tolist(), strict=True))
        return x * u / (1 + variant[:, None, None, None])

    scores, _ = masks.channel_scores(net, images, A, captured.target, vary, 3, chunk=4)
    assert heard == [(k, v) for _ in range(2) for k in range(6) for v in range(3)]
    plain, _ = masks.channel_scores(net, images, A, captured.target)
    torch.testing.assert_close(scores[..., :1], plain, rtol=1e-11, atol=1e-13)


def test_constant_channels_may_share_one_question():
    net, images, A, captured = seen(2, target=[3, 0])
    A[0, 2], A[0, 4] = 0.0, 5.0
    count = []
    handle = net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    got, live = masks.channel_scores(net, images, A, captured.target, constant="once")
    assert sum(count) == 11 and live.sum() == 10
    handle.remove()
    blank = masks.blank_scores(net, images, captured.target)
    torch.testing.assert_close(got[0, [2, 4], 0], blank[:1].expand(2))
    skipped, _ = masks.channel_scores(net, images, A, captured.target)
    torch.testing.assert_close(got[live], skipped[live], rtol=1e-11, atol=1e-13)


def test_clean_and_blank_scores():
    net, images, _, captured = seen(3, target=[4, 0, 1])
    with torch.no_grad():
        p, blank = net(images).softmax(1), net(torch.zeros_like(images))
    rows = torch.arange(3)
    torch.testing.assert_close(masks.clean_scores(captured), p[rows, [4, 0, 1]])
    torch.testing.assert_close(masks.blank_scores(net, images, captured.target, score="logit"), blank[rows, [4, 0, 1]])


def test_callable_target_and_bfloat16():
    net, images = BranchNet().bfloat16(), random_images(2, 3, 8, 8).bfloat16()

    def margin(values):
        return values[:, 0] - values[:, 1]

    captured = capture(net, images, "join", margin, gradients=False)
    scores, _ = masks.channel_scores(net, images, captured.A["join"], margin, score="logit")
    assert scores.dtype == torch.float32 and scores.isfinite().all()


def test_errors_leave_the_network_as_it_was():
    net, images, A, captured = seen()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ValueError, match="stretch must be one of"):
        masks.channel_scores(net, images, A, captured.target, stretch="sideways")
    with pytest.raises(ValueError, match="target must be given"):
        masks.channel_scores(net, images, A, None)
    with pytest.raises(ValueError, match="chunk must be a positive"):
        masks.channel_scores(net, images, A, captured.target, chunk=0)
    with pytest.raises(ZeroDivisionError):
        masks.channel_scores(net, images, A, captured.target, lambda *_: 1 / 0)
    assert torch.is_grad_enabled() and all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


@pytest.mark.gpu
def test_cpu_and_gpu_agree():
    net, images, A, captured = seen()
    wanted, _ = masks.channel_scores(net, images, A, captured.target, masks.keep_and_drop, 2)
    got, _ = masks.channel_scores(net.cuda(), images.cuda(), A.cuda(), captured.target.cuda(), masks.keep_and_drop, 2)
    torch.testing.assert_close(got.cpu(), wanted, rtol=1e-9, atol=1e-12)
