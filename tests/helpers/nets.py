"""Tiny networks for the tests. The analytic ones have maps one can compute by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


class ColourNet(nn.Module):
    """1x1 colour detectors -> ReLU -> k x k box filter -> global average -> linear, without biases.

    Channel k answers ReLU(x_k - half the other two colours). The logit of class c is
    sum_k head[c, k] mean_ij box(A_k)_ij, so at `box` every G is head[c, k] / (h w), and at `relu`
    it is that times the share of the k x k window that lies inside the image.
    """

    head_weights = torch.tensor([[1.0, -0.5, 0.0], [0.0, 2.0, 0.25], [-1.0, 0.0, 3.0]])

    def __init__(self, window: int = 3, inplace: bool = False) -> None:
        super().__init__()
        self.window = window
        self.detect = nn.Conv2d(3, 3, 1, bias=False)
        self.relu = nn.ReLU(inplace=inplace)
        self.box = nn.Conv2d(3, 3, window, padding=window // 2, groups=3, bias=False)
        self.fc = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.detect.weight.copy_((1.5 * torch.eye(3) - 0.5)[:, :, None, None])
            self.box.weight.fill_(1 / window**2)
            self.fc.weight.copy_(self.head_weights)
        self.eval()

    def route(self, x: Tensor) -> Tensor:
        return x

    def forward(self, images: Tensor) -> Tensor:
        x = self.box(self.relu(self.detect(images)))
        return self.fc(self.route(x).mean((2, 3)))


class LeftNet(ColourNet):
    """The same, but only the left half of the features reaches the logits."""

    def route(self, x: Tensor) -> Tensor:
        return x[..., : x.shape[-1] // 2]


def colour_image(height: int = 8, width: int = 10, dtype: torch.dtype = torch.float64) -> Tensor:
    """(1, 3, H, W): blue everywhere, a red block in the left half and a green one in the right."""
    image = torch.tensor(BLUE, dtype=dtype)[:, None, None].repeat(1, height, width)
    image[:, 1:4, 1:3] = torch.tensor(RED, dtype=dtype)[:, None, None]
    image[:, 4:7, 6:9] = torch.tensor(GREEN, dtype=dtype)[:, None, None]
    return image[None]


class TinyNet(nn.Module):
    """conv-bn-relu three times, the second with stride 2, then average and linear."""

    def __init__(self, inplace: bool = False, classes: int = 5, seed: int = 0) -> None:
        super().__init__()
        widths = (3, 4, 6, 8)
        for i in range(3):
            stride = 2 if i == 1 else 1
            self.add_module(f"conv{i}", nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1))
            self.add_module(f"bn{i}", nn.BatchNorm2d(widths[i + 1]))
            self.add_module(f"relu{i}", nn.ReLU(inplace=inplace))
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(widths[3], classes)
        randomise(self, seed)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for i in range(3):
            for kind in ("conv", "bn", "relu"):
                x = getattr(self, f"{kind}{i}")(x)
        return self.fc(self.dropout(x.mean((2, 3))))


class Muted(TinyNet):
    """The score follows `relu0`, and its gradient there is exactly 0."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu0(self.conv0(images))
        x = x.detach() + 0 * x
        return self.fc(self.relu2(self.conv2(self.relu1(self.conv1(x)))).mean((2, 3)))


class Dead(TinyNet):
    """Channel 2 of relu1 is zero everywhere, channel 3 constant and not zero."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.bn1.weight[2:4] = 0.0
            self.bn1.bias[2], self.bn1.bias[3] = -1.0, 0.8


class BranchNet(nn.Module):
    """Two parallel branches, both used twice, joined by in-place sums; a side layer that leads
    nowhere, a detached one, one that does not run, and one that runs twice."""

    def __init__(self, inplace: bool = True, seed: int = 0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.left = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=inplace))
        self.right = nn.Conv2d(4, 4, 1)
        self.identity = nn.Identity()
        self.join = nn.ReLU(inplace=inplace)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.nowhere = nn.Conv2d(4, 2, 1)
        self.cut = nn.Conv2d(4, 4, 1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 3)
        self.inplace = inplace
        randomise(self, seed)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        self.nowhere(x)
        left, right = self.left(x), self.right(x)
        x = left + self.identity(right)
        if self.inplace:
            right.add_(1.0)  # changes the memory that `identity` handed on
            x += right
            x += left  # `left` is used twice
        else:
            x = x + (right + 1.0) + left
        x = self.join(x) + self.cut(x).detach()
        return self.fc(self.twice(self.twice(x)).mean((2, 3)))


class TokenNet(nn.Module):
    """A transformer in small: patches, a class token, one attention block, the mean token."""

    def __init__(self, patch: int = 4, width: int = 8, classes: int = 4, seed: int = 0) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.fc = nn.Linear(width, classes)
        randomise(self, seed)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)  # (B, N, C)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.mlp(x)
        return self.fc(x.mean(1))


class TinyBlock(nn.Module):
    """Attention and a ReLU net, each behind a norm and beside a way past it."""

    def __init__(self, width: int, heads: int, inplace: bool, batch_first: bool) -> None:
        super().__init__()
        self.norm0, self.norm1 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=batch_first)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace), nn.Linear(width, width))
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm0(x)
        y = self.attention(y, y, y, need_weights=False)[0]
        x = y.add_(x) if self.inplace else y + x
        return x + self.mlp(self.norm1(x))


class TinyViT(nn.Module):
    """A vision transformer: patches of 8 pixels and a class token, two blocks, a norm, a head on the class token."""

    def __init__(self, inplace: bool = False, classes: int = 5, seed: int = 0, batch_first: bool = True) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 8, 8, 8)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.blocks = nn.Sequential(*(TinyBlock(8, 2, inplace, batch_first) for _ in range(2)))
        self.norm, self.fc, self.batch_first = nn.LayerNorm(8), nn.Linear(8, classes), batch_first
        randomise(self, seed)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv0(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        x = self.blocks(x if self.batch_first else x.transpose(0, 1))
        return self.fc(self.norm(x if self.batch_first else x.transpose(0, 1))[:, 0])


def randomise(model: nn.Module, seed: int) -> None:
    """Weights and statistics from a seed, without touching the global random state.

    Sizes are those that carry a signal through a ReLU network, so that no layer is dead.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = {id(m.weight) for m in model.modules() if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm))}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():
            tensor.zero_()  # BatchNorm's counter
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.data.copy_(0.5 + noise.abs())
        elif id(tensor) in norms:
            tensor.data.copy_(1 + 0.2 * noise)
        elif tensor.dim() > 1:
            tensor.data.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
        else:
            tensor.data.copy_(0.3 * noise)


def random_images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def window_share(window: int, height: int, width: int) -> Tensor:
    """(H, W): the share of a zero-padded box window at each place that lies inside the image."""
    ones = torch.ones(1, 1, height, width, dtype=torch.float64)
    return F.avg_pool2d(ones, window, 1, window // 2, count_include_pad=True)[0, 0]


class Counting(nn.Module):
    """Notes the size of every model batch."""

    def __init__(self, model):
        super().__init__()
        self.model, self.batches = model, []
        self.eval()

    def forward(self, images):
        assert not torch.is_grad_enabled()
        self.batches.append(len(images))
        return self.model(images)
