"""Narrow versions of the papers' networks, with torchvision's module names, for Toyland.

`toy-resnet50` has ResNet-50's stem and its 3-4-6-3 bottlenecks at a quarter of the width; `toy-vgg16_bn` has
VGG-16's thirteen convolutions with batch norm at an eighth, so `features.13 ... features.43` are the pooling
layers named in Holistic-CAM.
"""

from __future__ import annotations

import torch
from torch import nn

NUM_CLASSES = 10


class ToyResNet50(nn.Module):
    """Stem, `layer1` ... `layer4` (3, 4, 6, 3 bottlenecks), global average pooling, one linear layer."""

    def __init__(self, width: int = 16, num_classes: int = NUM_CLASSES):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        plans = ((width, 3, 1), (4 * width, 4, 2), (8 * width, 6, 2), (16 * width, 3, 2))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(channels, width * 2**number, blocks, stride)
            for number, (channels, blocks, stride) in enumerate(plans)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32 * width, num_classes)
        _initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    from torchvision.models.resnet import Bottleneck

    shortcut = nn.Sequential(nn.Conv2d(channels, 4 * planes, 1, stride, bias=False), nn.BatchNorm2d(4 * planes))
    rest = (Bottleneck(4 * planes, planes) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(channels, planes, stride, shortcut), *rest)


class ToyVGG16BN(nn.Module):
    """Thirteen convolutions with torchvision's vgg16_bn indices in `features`, then a small classifier."""

    def __init__(self, width: int = 8, num_classes: int = NUM_CLASSES):
        super().__init__()
        from torchvision.models.vgg import make_layers

        plan = [w if w == "M" else w * width for w in (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M")]
        self.features = make_layers(plan, batch_norm=True)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(8 * width * 49, 128), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(128, num_classes)
        )
        _initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _initialise(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


BUILDERS = {
    "toy-resnet50": ToyResNet50,
    "toy-vgg16_bn": ToyVGG16BN,
    "toy-resnet50-shortcut": ToyResNet50,
    "toy-resnet50-cast": ToyResNet50,
    "toy-vgg16_bn-no-jitter": ToyVGG16BN,
    "toy-resnet50-random-labels": ToyResNet50,
}
