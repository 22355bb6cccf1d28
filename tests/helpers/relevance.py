"""The explainers of relevance, and narrow networks of torchvision's on which they are tried."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import DenseNet, ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import VGG, make_layers

import holicam as hc
from tests.helpers.nets import randomise

INPUT = {
    "lrp": hc.LRP(),
    "c-lrp": hc.ContrastiveLRP(),
    "sglrp": hc.SGLRP(),
    "rap": hc.RAP(),
    "rsp": hc.RSP(layer="relu2"),
    "agf": hc.AGF(),
}

LAYER = {"relevance-cam": hc.RelevanceCAM(), "mwp": hc.MWP(), "c-mwp": hc.ContrastiveMWP()}

EVERY = INPUT | LAYER

every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)

layered = pytest.mark.parametrize("explainer", LAYER.values(), ids=LAYER)


def where(explainer, layer="relu1"):
    return layer if explainer.takes == "layer" else None


def narrow(block, width):
    """torchvision's ResNet with few channels. With a dozen, a 1 x 1 convolution may find no positive
    product at a place, and what arrives there is lost; with more, every place has one."""
    net = ResNet(block, [1, 1, 1, 1], 5)
    net.inplanes = width
    net.conv1, net.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
    for n, blocks in enumerate((1, 2, 1, 1)):
        setattr(net, f"layer{n + 1}", net._make_layer(block, width + n, blocks, 1 + (n > 0)))
    net.fc = nn.Linear(net.inplanes, 5)
    return net


def nets():
    torch.manual_seed(0)
    plan = [8, "M", 12, 12, "M", 16, "M", 16, "M", 16, "M"]
    vgg = VGG(make_layers(plan, batch_norm=True), 5, init_weights=False)
    vgg.avgpool, vgg.classifier = (
        nn.AdaptiveAvgPool2d(2),
        nn.Sequential(nn.Linear(64, 12), nn.ReLU(True), nn.Dropout(), nn.Linear(12, 5)),
    )
    found = {
        "basic": narrow(BasicBlock, 12),
        "bottleneck": narrow(Bottleneck, 40),
        "vgg_bn": vgg,
        "densenet": DenseNet(6, (2, 2, 2, 2), 8, num_classes=5),
    }
    for net in found.values():
        randomise(net, 0)
    return {name: net.eval() for name, net in found.items()}


NETS = nets()

LAYERS = {
    "basic": ["layer1", "layer2", "layer3", "layer4"],
    "bottleneck": ["layer1", "layer2", "layer4"],
    "vgg_bn": ["features.6", "features.13", "features.21"],
    "densenet": ["features.denseblock1", "features.transition2", "features"],
}
