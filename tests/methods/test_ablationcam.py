"""holicam.methods.perturbation.ablationcam: the slow twin, grad-cam's, layouts, and a network left as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import holicam as hc
from holicam.core import ablated
from holicam.core.ablated import without_channel
from holicam.core.capture import channels_last, tokens_to_grid
from holicam.core.replaced import replaced
from holicam.core.tokens import axes_of
from tests.helpers.nets import Counting, TinyNet, TokenNet, random_images
from tests.methods.test_oracles import gradcam, largest_difference, resnet, tiny, within
from tests.twins import slow_guests as slow


def tail_of(net, layer):
    """TinyNet from behind a layer on."""

    def tail(A):
        with torch.no_grad():
            for name in list(dict(net.named_children()))[list(dict(net.named_children())).index(layer) + 1 : -2]:
                A = getattr(net, name)(A)
            return net.fc(A.mean((2, 3)))

    return tail


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("layer", ["relu0", "conv1", "relu2"])
def test_the_slow_twin(layer, relative, record_property):
    net, x, target = tiny()
    A = hc.capture.capture(net, x, layer, gradients=False).A[layer]
    wanted = slow.ablation_cam(A, tail_of(net, layer), target, relative)
    ready = hc.AblationCAM(relu=False, relative=relative)
    got = ready(net, x, layer, target, size="native")
    within(record_property, largest_difference(got, wanted))
    assert torch.equal(got.relu(), replace(ready, relu=True)(net, x, layer, target, size="native"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("network", "layer"), [(tiny, "relu0"), (tiny, "relu2"), (resnet, "layer4")])
def test_grad_cam_package(network, layer, record_property):
    """Behind ReLUs; theirs are float32."""
    model, x, target = network()
    module = model.get_submodule(layer)
    asked = [gradcam.utils.model_targets.ClassifierOutputTarget(c) for c in target]
    theirs = gradcam.AblationCAM(model, [module], batch_size=8)
    theirs(x, asked)
    stored = theirs.activations_and_grads.activations[0]
    weights = theirs.get_cam_weights(x, module, asked, stored.numpy(), None)
    raw = (torch.tensor(weights)[:, :, None, None] * stored).sum(1)
    theirs.activations_and_grads.release()
    got = hc.AblationCAM(relu=False)(model, x, layer, target, size="native")
    within(record_property, largest_difference(got, raw), 1e-5)


def test_layers_of_transformers_and_channels_last():
    """A linear head on the mean of what is ablated: y - y^k is the mean of channel k times its weight."""
    net, x = TokenNet().double(), random_images(2, 3, 8, 12).double()
    net.fc.bias.data.zero_()
    tokens = {}
    handle = net.mlp.register_forward_hook(lambda _, __, output: tokens.update(mlp=output.detach()))
    y = net(x)
    handle.remove()
    weights = tokens["mlp"].mean(1) * net.fc.weight[1] / y[:, 1:2]
    wanted = (weights[:, None] * tokens["mlp"][:, 1:]).sum(2).view(2, 2, 3)
    got = hc.AblationCAM(relu=False)(net, x, "mlp", 1, size="native", reshape=tokens_to_grid())
    torch.testing.assert_close(got, wanted.detach())


def test_a_reshape_is_asked_once_where_channels_lie(monkeypatch):
    asked = []
    own = ablated.axes_of
    monkeypatch.setattr(ablated, "axes_of", lambda *given: asked.append(given) or own(*given))
    net, x = TokenNet().double(), random_images(2, 3, 8, 12).double()
    maps = [hc.AblationCAM(chunk=chunk)(net, x, "mlp", 1, reshape=tokens_to_grid()) for chunk in (3, 64)]
    torch.testing.assert_close(*maps)
    assert len(asked) == 2  # of many batches, and of one


def test_where_images_and_channels_lie():
    grid, size = tokens_to_grid(), (8, 12)
    assert axes_of(grid, (2, 7, 8), size) == (0, 2) and axes_of(grid, (1, 7, 1), size) == (0, 2)
    turned = tokens_to_grid((2, 3))
    assert axes_of(lambda A: turned(A.transpose(0, 1)), (7, 2, 8), size) == (1, 2)
    assert axes_of(channels_last(), (2, 4, 6, 5), size) == (0, 3)
    assert axes_of(lambda A: A, (2, 2, 2, 2), size) == (0, 1)
    assert axes_of(lambda A: A.flip(1), (2, 4, 6, 5), size) is None
    net, x = TinyNet(), random_images(2, 3, 8, 12)
    with pytest.raises(ValueError, match="reshape mixes the channels of layer 'relu2'"):
        hc.AblationCAM()(net, x, "relu2", 1, reshape=lambda A: A.flip(1))
    A = torch.arange(12.0).view(2, 3, 2) + 1
    assert without_channel(A, torch.tensor([2, 0]), (0, 1)).tolist() == [
        [[1, 2], [3, 4], [0, 0]],
        [[0, 0], [9, 10], [11, 12]],
    ]
    assert A.min() == 1


def test_batches_stay_small():
    model, x = Counting(TinyNet()), random_images(2, 3, 12, 12)
    hc.AblationCAM(chunk=5)(model, x, "model.relu2", 1)
    assert model.batches == [2, 5, 5, 5, 1]  # 8 channels of 2 images


def test_in_place_readers_and_a_fault_on_the_way():
    """What reads the layer writes into it; afterwards nothing stays there."""
    x = random_images(2, 3, 9, 12).double()
    nets = [TinyNet(inplace).double() for inplace in (True, False)]
    assert torch.equal(*(hc.AblationCAM()(net, x, "bn1", 1) for net in nets))
    with pytest.raises(RuntimeError, match="stop"), replaced(nets[0], "bn1", lambda output: output * 0):
        assert (nets[0](x) == nets[0](x)[:1]).all()
        raise RuntimeError("stop")
    assert not nets[0].bn1._forward_hooks and not (nets[0](x) == nets[0](x)[:1]).all()


def test_a_score_of_0_and_one_that_no_channel_moves():
    net, x = TinyNet().double(), random_images(1, 3, 8, 8).double()
    net.fc.bias.data[1] -= net(x)[0, 1].detach()
    shifted = net(x)[0, 1]
    plain = hc.AblationCAM(relative=False, relu=False)(net, x, "relu2", 1)
    got = hc.AblationCAM(relu=False)(net, x, "relu2", 1)
    torch.testing.assert_close(got, plain / (1 if shifted == 0 else shifted.detach()))
    zero = hc.AblationCAM()(net, x, "relu2", lambda y: 0 * y[:, 0])
    assert (zero == 0).all()
    net.fc.weight.data.zero_()
    assert (hc.AblationCAM()(net, x, "relu2", 1) == 0).all()
