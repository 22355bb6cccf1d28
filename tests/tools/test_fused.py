"""Fused forwards give what the network gives, and only where nobody looks at what lies between."""

import pytest
import torch
from torch import nn
from torch.fx.proxy import TraceError

import holicam as hc
from tools.fused import fused, quick

IMAGES = torch.rand(3, 3, 48, 40, generator=torch.Generator().manual_seed(0))


class Joined(nn.Module):
    """Sums of several kinds: in place, out of place, of one tensor twice, of a branch that is used again."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = (nn.Conv2d(3, 3, 3, padding=1, bias=i < 2) for i in range(3))
        self.norm, self.last = nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, stride=2, groups=1, padding_mode="reflect")

    def forward(self, x):
        a = torch.relu(self.norm(self.one(x)))
        b = self.two(a)
        c = b + b
        d = self.three(c)
        d += a
        e = nn.functional.relu(d) - d
        return self.last(e + x).mean((2, 3))


@pytest.mark.parametrize("name", ["toy-resnet50", "toy-vgg16_bn"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_logits_are_those_of_the_network(name, batch):
    model = hc.load_model(name)
    with torch.no_grad():
        wanted, found = model(IMAGES[:batch]), fused(model)(IMAGES[:batch])
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert any(getattr(node.target, "__name__", "") == "alone" for node in fused(model).graph.nodes)


@torch.no_grad()
def test_norms_sums_and_relus_go_into_their_convolution_and_nothing_else():
    torch.manual_seed(0)
    model = Joined().eval()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(0.5, 2)
    torch.testing.assert_close(fused(model)(IMAGES), model(IMAGES), rtol=1e-5, atol=1e-5)


def test_the_network_takes_the_short_way_only_where_nobody_looks(monkeypatch):
    taken = []
    monkeypatch.setattr("tools.fused.fused", lambda model: lambda images: taken.append(1) or images.new_zeros(3, 12))
    model = hc.load_model("toy-resnet50")
    assert quick(model) is model
    with torch.no_grad():
        model(IMAGES)
    assert len(taken) == 1
    model(IMAGES)  # gradients may be wanted
    with torch.no_grad():
        seen = model.layer2.register_forward_hook(lambda *_: None)
        model(IMAGES)
        seen.remove()
        model.double()(IMAGES.double())
        model.float().train()
        model(IMAGES)
        assert len(taken) == 1
        model.eval()
        model.fc.bias.add_(1)  # its fused copy no longer holds
        model(IMAGES)
    assert len(taken) == 1


def test_maps_and_scores_of_a_quick_network_are_those_of_the_plain_one():
    model, images = hc.load_model("toy-resnet50"), IMAGES[:1]
    before = hc.ScoreCAM()(model, images, "layer4"), hc.GradCAM()(model, images, "layer4")
    quick(model)
    after = hc.ScoreCAM()(model, images, "layer4"), hc.GradCAM()(model, images, "layer4")
    torch.testing.assert_close(after[0], before[0], rtol=1e-4, atol=1e-5)
    assert torch.equal(after[1], before[1])


def test_a_network_that_cannot_be_traced_is_refused():
    class Asks(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(TraceError):
        quick(Asks())
