"""holicam.core.layout and holicam.core.tokens: which axis holds the channels, and how tokens lie in the image."""

from __future__ import annotations

import random
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import holicam as hc
from holicam.core.capture import capture, channels_last, tokens_to_grid
from holicam.core.graph import recorded
from holicam.core.layout import Layouts, fits, watched
from holicam.core.tokens import for_images
from tests.helpers.explainers import explainer
from tests.helpers.nets import TinyNet, TinyViT, TokenNet, random_images, randomise

SMALL = {
    "swin": lambda: models.SwinTransformer([4, 4], 12, [1, 2], [2, 2], [4, 4], num_classes=5),
    "swin_v2": lambda: models.SwinTransformer(
        [4, 4],
        12,
        [1, 2],
        [2, 2],
        [4, 4],
        num_classes=5,
        block=models.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=models.swin_transformer.PatchMergingV2,
    ),
    "convnext": lambda: models.ConvNeXt(
        [models.convnext.CNBlockConfig(12, 20, 1), models.convnext.CNBlockConfig(20, None, 1)], num_classes=5
    ),
    "maxvit": lambda: models.MaxVit((64, 64), 8, 8, [12, 24], [1, 1], 6, 0.0, num_classes=5),
    "resnet18": lambda: models.resnet18(num_classes=5),
    "densenet121": lambda: models.densenet121(num_classes=5),
    "mobilenet_v3_small": lambda: models.mobilenet_v3_small(num_classes=5),
    "googlenet": lambda: models.googlenet(num_classes=5, init_weights=False),
}
WIDE = {"swin_t": [models.swin_t, models.swin_v2_t], "convnext": [models.convnext_tiny], "maxvit": [models.maxvit_t]}


def build(name: str) -> nn.Module:
    with torch.device("meta"):
        model = SMALL[name]()
    model = model.to_empty(device="cpu")
    randomise(model, seed=0)
    for module in model.modules():  # tables that are no parameters
        if hasattr(module, "define_relative_position_index"):
            module.define_relative_position_index()
        if hasattr(module, "get_relative_position_index"):
            module.relative_position_index.copy_(module.get_relative_position_index())
        if "relative_coords_table" in dict(module.named_buffers(recurse=False)):
            module.define_relative_position_bias_table()
    return model.eval()


def shapes(model: nn.Module, x: Tensor) -> dict[str, tuple]:
    """Of all modules that give four axes, and as many images as there are."""
    found = {}
    hooks = [
        m.register_forward_hook(
            lambda _, __, out, name=name: (
                found.update({name: tuple(out.shape)})
                if isinstance(out, Tensor) and out.dim() == 4 and len(out) == len(x)
                else None
            )
        )
        for name, m in model.named_modules()
        if name
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


def decided(model: nn.Module, x: Tensor) -> dict[str, bool | None]:
    """{layer: whether its channels are said to be last, None where it asks}."""
    wanted = {name: model.get_submodule(name) for name in shapes(model, x)}
    with torch.no_grad(), recorded(wanted, False, "last") as A, watched(model, wanted) as readers:
        model(x)
    layouts, found = Layouts(model, wanted, readers, x), {}
    for name in wanted:
        try:
            layouts.maps({name: A[name]})
            found[name] = layouts.last[name]
        except ValueError as error:
            assert "reshape=" in str(error) and "\n" not in str(error)
            found[name] = None
    return found


def truth(model: nn.Module, sizes) -> dict[str, bool]:
    """The channel axis is the one that images of another size leave alone."""
    one, two = (shapes(model, random_images(2, 3, *size)) for size in sizes)
    moved = {name: [a != b for a, b in zip(one[name], two[name], strict=True)] for name in one if name in two}
    return {name: m == [False, True, True, False] for name, m in moved.items() if m.count(True) == 2}


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("swin", 0),
        ("swin_v2", 3),
        ("convnext", 0),
        ("resnet18", 0),
        ("densenet121", 0),
        ("mobilenet_v3_small", 0),
        ("googlenet", 0),
    ],
)
def test_families_of_torchvision(name, asks):
    """Every module with four axes: as the second image size tells, or a question; none of a convolutional net."""
    model = build(name)
    known = truth(model, [(64, 96), (128, 160)])
    for size in ((64, 96), (64, 64)):
        found = decided(model, random_images(2, 3, *size))
        wrong = {layer: found[layer] for layer in known if found[layer] not in (known[layer], None)}
        assert not wrong, wrong
        assert sum(found[layer] is None for layer in known) <= asks
    assert any(known.values()) == (name in ("swin", "swin_v2", "convnext"))
    for layer in {
        "swin": ["features", "features.1.0", "features.2", "norm", "features.3.1.mlp.1"],
        "convnext": ["features.1.0.block.2", "features.1.0.block.4"],
    }.get(name, []):
        assert found[layer] is True


def test_windows_of_maxvit_are_no_map():
    """(B, windows, places, C): four axes, and none of them rows or columns of the image."""
    model, x = build("maxvit"), random_images(2, 3, 64, 64)
    given, found = shapes(model, x), decided(model, x)
    for layer, shape in given.items():
        assert found[layer] is (False if shape[2] == shape[3] else None), (layer, shape)
    assert found["blocks.0"] is False and None in found.values()
    with pytest.raises(ValueError, match=r"unclear which axis .*channels_last\(\)"):
        capture(model, x, next(layer for layer, last in found.items() if last is None), 0, repeated="last")


@pytest.mark.slow
@pytest.mark.parametrize("make", [m for many in WIDE.values() for m in many])
def test_whole_networks_at_their_own_size(make):
    torch.manual_seed(0)
    model, x = make(num_classes=5).eval(), random_images(2, 3, 224, 224)
    given = shapes(model, x)
    for layer, last in decided(model, x).items():
        a, b, c = given[layer][1:]
        assert last in ((a == b != c) if b != c else False, None), (layer, given[layer])


CAMS = [
    name
    for name in hc.explainers
    if hc.explainers[name].takes == "layer" and name not in ("cam", "relevance-cam", "mwp", "c-mwp", "ucag")
]


@pytest.mark.parametrize("name", CAMS)
def test_channels_last_gives_the_map_of_the_permuted_tensor(name):
    model, x = build("swin"), random_images(2, 3, 32, 48)
    model.head.weight.data *= 4
    asked = explainer(name)(model, x, "features.1", 1, size="native", reshape=channels_last())
    told = explainer(name)(model, x, "features.1", 1, size="native")
    assert told.shape == (2, 8, 12) or name in ("holistic-cam", "cameras", "msg-cam")
    assert torch.equal(told, asked)


def test_all_the_layers_of_a_network_at_once():
    """Convolution first, channels last after it: a reshape for all could not be right."""
    model, x = build("swin"), random_images(2, 3, 64, 96)
    seen = capture(model, x, ["features.0.0", "features.0", "features", "permute"], 1)
    assert [tuple(A.shape[1:]) for A in seen.A.values()] == [(12, 16, 24), (12, 16, 24), (24, 8, 12), (24, 8, 12)]
    assert torch.equal(
        seen.A["features.0"].mean((2, 3)),
        capture(model, x, "features.0", 1, reshape=channels_last()).A["features.0"].mean((2, 3)),
    )
    assert all(seen.G[name].shape == seen.A[name].shape for name in seen.A)
    assert hc.PCAM()(model, x, ["features.1", "features.3"], 1).shape == (2, 64, 96)
    assert hc.default_layers(model)[-1] == "permute" and hc.GradCAM()(model, x, target=0).shape == (2, 64, 96)


class Mixed(nn.Module):
    """A network of ReLUs that keeps its channels last in the middle, by functions alone."""

    def __init__(self, width: int, quiet: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 4, 4)
        self.turn = partial(torch.permute, dims=(0, 2, 3, 1))
        self.act, self.mix, self.end = nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        self.own = Function(lambda x: x * 2 if quiet else torch.relu(x))
        self.fc = nn.Linear(width, 5)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.own(self.end(self.mix(self.act(self.turn(self.conv(x)).contiguous()))))
        return self.fc(x.mean((1, 2)))


class Function(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_a_network_that_turns_its_axes_by_functions(size):
    net, x = Mixed(24), random_images(2, 3, *size)
    for layer in ("act", "mix", "end", "own"):
        told = capture(net, x, layer, 1)
        asked = capture(net, x, layer, 1, reshape=channels_last())
        assert torch.equal(told.A[layer], asked.A[layer]) and torch.equal(told.G[layer], asked.G[layer])
    told, asked = (hc.RelevanceCAM()(net, x, "end", 1, reshape=reshape) for reshape in (None, channels_last()))
    assert torch.equal(told, asked)


def test_as_many_channels_as_rows_and_columns():
    """Eight channels of 8 x 8 places: by kind, by who reads them, or not at all."""
    net, x = Mixed(8), random_images(2, 3, 32, 32)
    for layer in ("conv", "act", "mix"):
        last = layer != "conv"
        A = capture(net, x, layer, 1).A[layer]
        assert torch.equal(A, capture(net, x, layer, 1, reshape=channels_last() if last else lambda t: t).A[layer])
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 8\).*unclear"):
        capture(net, x, "own", 1)
    plain = TinyNet()  # relu2: 8 channels of 8 x 8
    A = capture(plain, random_images(2, 3, 16, 16), ["conv2", "bn2", "relu2"], 1).A
    assert torch.equal(A["relu2"], A["bn2"].relu())


class Convolutional(nn.Module):
    """What blocks of convolutions are made of: sums, gates from a linear layer, joined branches, functions."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.conv, self.bn, self.act = nn.Conv2d(3, width, stride, stride), nn.BatchNorm2d(width), nn.GELU()
        self.block = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.gate = nn.Linear(width, width)
        self.gated = Gated(self.gate)
        self.joined = Function(lambda x: torch.cat([x, x], 1))
        self.fc = nn.Linear(2 * width, 5)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.gated(self.block(self.act(self.bn(self.conv(x)))))
        return self.fc(self.joined(x).mean((2, 3)))


class Gated(nn.Module):
    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3))).sigmoid()[..., None, None]


def test_channels_first_is_never_mistaken():
    """Few channels, many rows, narrow images, one column: only as many channels as both sides may be asked about."""
    draw, asked = random.Random(0), 0
    for _ in range(120):
        width, stride = draw.choice([1, 2, 3, 4, 6, 8, 12, 16, 32]), draw.choice([1, 2, 4])
        h, w = (stride * draw.randint(1, 14) + draw.randint(0, stride - 1) for _ in "hw")
        net = Convolutional(width, stride)
        for layer, channels in (
            ("conv", width),
            ("bn", width),
            ("act", width),
            ("block", width),
            ("gated", width),
            ("joined", 2 * width),
        ):
            try:
                A = capture(net, random_images(1, 3, h, w), layer, 0, gradients=False).A[layer]
                assert A.shape[1:] == (channels, h // stride, w // stride), (layer, width, h, w)
            except ValueError as error:
                assert "unclear" in str(error) and layer == "joined"
                assert max(channels, h // stride, w // stride) - min(channels, h // stride, w // stride) <= 2
                asked += 1
    assert asked < 5


class Strips(nn.Module):
    """Rows are pooled away and columns are not, as where text or sound is read."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, (8, 1), (8, 1))
        self.act, self.cell = nn.ReLU(), nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU())
        self.fc = nn.Linear(width, 5)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.cell(self.act(self.conv(x))).mean((2, 3)))


def test_strides_that_differ_along_the_axes_are_channels_first_still():
    for height in (8, 16, 64, 128):
        x = random_images(1, 1, height, 64)
        for width in (4, 16, 64):
            seen = capture(Strips(width), x, ["conv", "act", "cell"], 0)
            assert {tuple(A.shape[1:]) for A in seen.A.values()} == {(width, height // 8, 64)}


def test_outputs_that_are_no_map_of_these_images():
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 5)
            self.swap = Function(lambda x: x.transpose(0, 1))
            self.eval()

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.swap(self.conv(x)).mean((2, 3)).T)

    x = random_images(2, 3, 16, 16)
    with pytest.raises(ValueError, match=r"\(6, 2, 4, 4\) for 2 images") as caught:
        hc.GradCAM()(Swapped(), x, "swap", 1)
    assert "\n" not in str(caught.value)
    net = Swapped()
    turned = hc.GradCAM()(net, x, "swap", 1, reshape=lambda A: A.transpose(0, 1))
    assert torch.equal(turned, hc.GradCAM()(net, x, "conv", 1))


def test_fits():
    assert fits((7, 7), (224, 224)) and fits((7, 10), (224, 298)) and fits((1, 1), (32, 32))
    assert fits((9, 16), (72, 128))
    assert not fits((7, 768), (224, 224)) and not fits((9, 16), (128, 72)) and not fits((64, 49), (224, 224))


# --- tokens -----------------------------------------------------------------------------------------


def grid_of(count: int, size: tuple[int, int], skip: int = 0) -> tuple[int, ...]:
    return tuple(for_images(tokens_to_grid(skip=skip), size)(torch.zeros(1, count, 4)).shape[2:])


@pytest.mark.parametrize(
    ("size", "patch"),
    [
        ((72, 128), 8),
        ((288, 512), 8),
        ((56, 224), 8),
        ((224, 56), 8),
        ((64, 96), 16),
        ((64, 64), 4),
        ((48, 32), 16),
        ((16, 128), 16),
    ],
)
@pytest.mark.parametrize("skip", [0, 1, 2, 5])
def test_a_grid_takes_the_proportion_of_the_images(size, patch, skip):
    """The count is a square in the first three, and was taken for one."""
    h, w = (n // patch for n in size)
    assert grid_of(h * w + skip, size, skip) == (h, w)
    order = torch.arange(h * w + skip).view(1, -1, 1)
    grid = for_images(tokens_to_grid(skip=skip), size)(order)
    assert torch.equal(grid[0, 0], torch.arange(skip, skip + h * w).view(h, w))


@pytest.mark.parametrize(
    ("size", "grid"),
    [((75, 130), (9, 16)), ((79, 131), (4, 8)), ((30, 30), (7, 7)), ((75, 130), (10, 17)), ((223, 298), (15, 21))],
)
def test_patches_that_the_border_cuts(size, grid):
    assert grid_of(grid[0] * grid[1], size) == grid


def test_grids_that_cannot_be_told():
    for count, size in ((5, (72, 128)), (144 + 3, (72, 128)), (0, (72, 128)), (196, (72, 128))):
        with pytest.raises(ValueError, match="square patches of images 72 x 128.*give grid=") as caught:
            grid_of(count, size)
        assert "\n" not in str(caught.value)
    assert tuple(tokens_to_grid((4, 49), skip=0)(torch.zeros(1, 196, 2)).shape[2:]) == (4, 49)


@pytest.mark.parametrize("name", ["grad-cam", "holistic-cam", "score-cam", "pcam+", "ucag", "iia"])
def test_every_kind_of_explainer_tells_its_reshape_the_images(name):
    """Views of other scales and patches included: each has its own grid."""
    net, x = TokenNet(), random_images(2, 3, 36, 64)
    ready = explainer(name)
    layers = ["mlp"] if ready.takes == "joint" else "mlp"
    told = ready(net, x, layers, 1, reshape=tokens_to_grid())
    if name not in ("holistic-cam", "ucag"):
        assert torch.equal(told, ready(net, x, layers, 1, reshape=tokens_to_grid((9, 16))))
    assert told.shape == (2, 36, 64)


def test_channels_last_says_what_it_takes():
    assert channels_last()(torch.zeros(1, 2, 3, 4)).shape == (1, 4, 2, 3)
    with pytest.raises(ValueError, match=r"\(B, h, w, C\); got \(1, 2, 3\)"):
        channels_last()(torch.zeros(1, 2, 3))


# --- what a reshape must be -------------------------------------------------------------------------


def tokens_of(count: int, width: int, size: tuple[int, int]) -> tuple[nn.Module, torch.Tensor]:
    """A network whose layer "tokens" gives (B, count, width), and an image for it."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.LayerNorm(width)
            self.fc = nn.Linear(width, 3)

        def forward(self, x):
            cells = x.flatten(1)[:, : count * width].unflatten(1, (count, width))
            return self.fc(self.tokens(cells).mean(1))

    return Net().eval(), random_images(1, 3, *size)


@pytest.mark.parametrize(
    ("count", "size", "reshape", "grid"),
    [
        (64, (64, 64), lambda A: A.unflatten(1, (8, 8)), "8 x 32"),
        (144, (72, 128), tokens_to_grid((16, 9), skip=0), "16 x 9"),
        (196, (64, 64), tokens_to_grid((4, 49), skip=0), "4 x 49"),
    ],
)
def test_a_reshape_whose_grid_lies_another_way_than_the_images(count, size, reshape, grid):
    net, x = tokens_of(count, 32, size)
    with pytest.raises(ValueError, match=rf"a grid of {grid} is not in the proportion.*channels come first") as caught:
        hc.GradCAM()(net, x, "tokens", 1, reshape=reshape)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("grid", "size"),
    [((7, 7), (24, 48)), ((4, 8), (64, 64)), ((2, 8), (64, 128)), ((1, 2), (40, 24)), ((1, 1), (24, 80))],
)
def test_patches_need_not_be_square(grid, size):
    net, x = tokens_of(grid[0] * grid[1], 32, size)
    got = hc.GradCAM()(net, x, "tokens", 1, reshape=tokens_to_grid(grid, skip=0), size="native")
    assert tuple(got.shape[1:]) == grid


def test_a_network_may_shorten_one_side_of_its_grid():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, (8, 1)), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    got = hc.GradCAM()(net, random_images(1, 3, 24, 48), "0", 1, reshape=lambda A: A, size="native")
    assert tuple(got.shape[1:]) == (3, 46)


@pytest.mark.parametrize("grid", [4, (4,), (4.0, 4.0), (-4, -4), "44", (True, 4)])
def test_grids_that_are_none(grid):
    with pytest.raises(ValueError, match=r"grid must be None or \(h, w\), two whole numbers of at least 1; got"):
        tokens_to_grid(grid)


@pytest.mark.parametrize("skip", [1.0, -1, "1", None])
def test_what_cannot_be_skipped(skip):
    with pytest.raises(ValueError, match="skip must be a whole number of at least 0; got"):
        tokens_to_grid(skip=skip)


@pytest.mark.parametrize("ready", [hc.GradCAM(), hc.AblationCAM(), hc.LeGrad()])
@pytest.mark.parametrize(
    ("reshape", "said"),
    [
        ((9, 16), r"reshape must be a function .* got \(9, 16\)"),
        (lambda A: None, r"must return a tensor \(B, C, h, w\); .* it returned NoneType"),
        (tokens_to_grid, r"only makes a reshape: call it, reshape=tokens_to_grid\(\)"),
        (channels_last, r"only makes a reshape: call it, reshape=channels_last\(\)"),
    ],
)
def test_what_is_no_reshape(ready, reshape, said):
    layer = None if ready.takes == "input" else "blocks.0"
    with pytest.raises(TypeError, match=said) as caught:
        ready(TinyViT(), random_images(1, 3, 24, 40), layer, 1, reshape=reshape)
    assert "\n" not in str(caught.value)
