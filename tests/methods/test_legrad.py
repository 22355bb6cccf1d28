"""holicam.methods.gradients.legrad: the slow twin, torchvision's, blocks of every kind, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

import holicam as hc
from holicam.core.attention import attended
from holicam.core.capture import tokens_to_grid
from holicam.core.graph import ZeroGradientWarning
from holicam.core.tokens import any_grid, for_images
from tests.helpers.nets import TinyNet, TinyViT, TokenNet, random_images
from tests.methods.test_oracles import largest_difference, within
from tests.twins import slow_guests as slow


def images(batch=3):
    return random_images(batch, 3, 24, 40).double()


def vit(**options):
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=7, **options)
    nn.init.normal_(model.heads.head.weight)
    return model.double().eval()


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("score_of", ["block", "network"])
def test_the_slow_twin(score_of, batch_first, record_property):
    net, x = TinyViT(batch_first=batch_first).double(), images()
    got = hc.LeGrad(score_of=score_of)(net, x, None, [1, 4, 0], size="native")
    wanted = [slow.legrad(net, x[b : b + 1], c, score_of).view(3, 5) for b, c in enumerate([1, 4, 0])]
    within(record_property, largest_difference(got, torch.stack(wanted)))


def test_the_last_block_alone_is_the_network_itself():
    """So with one block the two agree; with several they do not."""
    one = vit()
    one.encoder.layers = one.encoder.layers[:1].eval()
    x = random_images(2, 3, 32, 32).double()
    both = [[hc.LeGrad(score_of=of)(net, x, None, 3) for of in ("block", "network")] for net in (one, vit())]
    torch.testing.assert_close(*both[0])
    assert not torch.allclose(*both[1])


def test_gradients_are_those_in_the_probabilities():
    """Of the attention that PyTorch computes: P moved by a step, its own weights asked for."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(6, 3, batch_first=True, kdim=4, vdim=5).double().eval()
    q, k, v = (torch.randn(2, n, c, dtype=torch.double) for n, c in ((3, 6), (4, 4), (4, 5)))
    P = module(q, k, v, average_attn_weights=False)[1].detach().requires_grad_()
    V = (v @ module.v_proj_weight.T + module.in_proj_bias[12:]).unflatten(2, (3, 2)).transpose(1, 2)
    out = module.out_proj((P @ V).transpose(1, 2).flatten(2))
    (wanted,) = torch.autograd.grad(out.square().sum(), P)
    with attended(nn.Sequential(module)) as (found, _):
        assert torch.allclose(module(q, k, value=v, need_weights=False)[0], out)
    (one,) = found
    torch.testing.assert_close(one.gradient(2 * one.out), wanted)


def test_blocks_are_the_largest_modules_with_one_attention():
    model, x = vit(), random_images(1, 3, 32, 32).double().requires_grad_()
    with attended(model) as (found, blocks):
        model(x)
    assert [blocks[n].module for n in range(len(found))] == list(model.encoder.layers)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_torchs_own_layers():
    """nn.TransformerEncoderLayer has a fast path of its own that no hook sees; it is not taken."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 8, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.encoder, self.fc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 5)

        def forward(self, x):
            return self.fc(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    torch.manual_seed(0)
    net, x = Net().eval(), random_images(2, 3, 24, 40)
    got = hc.LeGrad()(net, x, size="native")
    assert got.shape == (2, 3, 5) and (got >= 0).all() and (got > 0).any()
    torch.testing.assert_close(got, hc.LeGrad()(net, x, size="native", reshape=tokens_to_grid((3, 5), skip=0)))


def test_what_it_costs():
    net, seen = vit(), []
    net.register_forward_hook(lambda _, x, __: seen.append(len(x[0])))
    hc.LeGrad()(net, random_images(2, 3, 32, 32).double())
    assert seen == [2, 2]
    hc.LeGrad(score_of="network")(net, random_images(2, 3, 32, 32).double())
    assert seen == [2, 2, 2]


def test_the_grid_leaves_out_what_stands_before_it():
    for count, size, grid in ((197, (224, 224), (14, 14)), (201, (224, 224), (14, 14)), (15, (24, 40), (3, 5))):
        got = for_images(any_grid(count, size), size)(torch.zeros(1, count, 1))
        assert got.shape == (1, 1, *grid)


def test_what_is_refused():
    x = random_images(2, 3, 8, 12)
    with pytest.raises(ValueError, match="reads the attention of a transformer, and no .* ran in this TinyNet"):
        hc.LeGrad()(TinyNet(), x)
    with pytest.raises(ValueError, match=r'does not lie in blocks .*: give score_of="network"') as caught:
        hc.LeGrad()(TokenNet(), x)
    assert "\n" not in str(caught.value)
    assert hc.LeGrad(score_of="network")(TokenNet(), x).shape == (2, 8, 12)
    shared = TinyViT()
    shared.blocks[1] = shared.blocks[0]
    with pytest.raises(ValueError, match="does not lie in blocks"):
        hc.LeGrad()(shared, random_images(1, 3, 24, 40))
    with pytest.raises(ValueError, match="reads no layer"):
        hc.LeGrad()(TinyViT(), random_images(1, 3, 24, 40), "blocks")
    with pytest.raises(ValueError, match="score_of must be one of"):
        hc.LeGrad(score_of="layer")
    with pytest.raises(ValueError, match="do not fill a grid"):
        hc.LeGrad()(TinyViT(), random_images(1, 3, 24, 40), reshape=tokens_to_grid((4, 5)))


def test_a_score_that_no_attention_moves():
    net = TinyViT()
    for block in net.blocks:
        block.attention.out_proj.weight.data.zero_()
    with pytest.warns(ZeroGradientWarning):
        assert (hc.LeGrad()(net, random_images(1, 3, 24, 40)) == 0).all()
