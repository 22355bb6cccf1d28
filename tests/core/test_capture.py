"""holicam.core.capture: what it reads, what it costs, and that it leaves no trace."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from holicam.core.capture import Captured, capture, logits_of, tokens_to_grid
from holicam.models import LayerNotFoundError
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, TokenNet, colour_image, random_images, window_share

LAYERS = ["conv0", "relu0", "conv1", "bn1", "relu1", "conv2", "relu2"]


def by_hand(model, images, layer, target):
    """A and G with nothing but a full graph and an out-of-place model: the reference."""
    kept = {}
    handle = dict(model.named_modules())[layer].register_forward_hook(
        lambda _, __, out: kept.setdefault("A", out.view_as(out))
    )
    logits = model(images)
    handle.remove()
    score = logits.gather(1, target[:, None]).sum()
    (G,) = torch.autograd.grad(score, kept["A"])
    return kept["A"].detach(), G


@pytest.mark.parametrize("inplace", [False, True])
def test_all_layers_at_once_equal_one_by_one_with_a_full_graph(inplace):
    images, target = random_images(2, 3, 12, 9).double(), torch.tensor([1, 4])
    got = capture(TinyNet(inplace).double(), images, LAYERS, target)
    assert list(got.A) == list(got.G) == LAYERS
    for layer in LAYERS:
        A, G = by_hand(TinyNet().double(), images, layer, target)
        torch.testing.assert_close(got.A[layer], A, rtol=0, atol=0)
        torch.testing.assert_close(got.G[layer], G, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(got.logits, TinyNet().double()(images))
    assert got.target.tolist() == [1, 4]
    assert got.score.tolist() == [got.logits[0, 1].item(), got.logits[1, 4].item()]


def test_gradients_of_the_analytic_net():
    net, image = ColourNet(window=3).double(), colour_image(8, 10)
    for target in range(3):
        G = capture(net, image, ["relu", "box"], target).G
        for k in range(3):
            weight = net.head_weights[target, k].item() / 80
            torch.testing.assert_close(G["box"][0, k], torch.full((8, 10), weight).double())
            torch.testing.assert_close(G["relu"][0, k], weight * window_share(3, 8, 10))


def test_results_come_in_the_order_asked_for():
    images = random_images(1, 3, 8, 8)
    forth, back = (capture(TinyNet(), images, names, 0) for names in (LAYERS, LAYERS[::-1]))
    assert list(back.A) == LAYERS[::-1]
    for layer in LAYERS:
        assert torch.equal(forth.A[layer], back.A[layer])
        assert torch.equal(forth.G[layer], back.G[layer])


@pytest.mark.parametrize(
    "layers",
    [
        ["left.0"],
        ["right"],
        ["left.0", "right"],
        ["right", "left", "left.0"],
        ["left", "join"],
        ["stem", "left.0", "right", "join"],
        ["identity"],
        ["identity", "right"],
    ],
)
def test_branches(layers):
    """Neither branch lies above the other, both are used twice, `identity` shares memory that is
    changed later: every choice of layers is right."""
    images, target = random_images(2, 3, 6, 7).double(), torch.tensor([0, 2])
    got = capture(BranchNet(inplace=True).double(), images, layers, target)
    for layer in layers:
        plain = BranchNet(inplace=False).double()
        A, G = by_hand(plain, images, layer, target)
        torch.testing.assert_close(got.A[layer], A, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(got.G[layer], G, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layers", [["nowhere", "left"], ["cut", "right", "stem"], ["nowhere", "cut"]])
def test_layers_off_the_path_are_named(layers):
    """A map of zeros would look like an answer."""
    refuses(ValueError, f"does not depend on layer '{layers[0]}'", BranchNet(), layers=layers)
    assert capture(BranchNet(), random_images(1, 3, 6, 6), layers, gradients=False).A[layers[0]].dim() == 4


def test_one_forward_one_backward(monkeypatch):
    net, calls = TinyNet(), []
    net.register_forward_hook(lambda *_: calls.append("forward"))
    original = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append("backward") or original(*a, **k))
    capture(net, random_images(2, 3, 8, 8), LAYERS)
    assert calls == ["forward", "backward"]
    capture(net, random_images(2, 3, 8, 8), LAYERS, gradients=False)
    assert calls == ["forward", "backward", "forward"]


def test_nothing_below_the_shallowest_layer_has_a_graph():
    net, seen = TinyNet(), {}
    for name in ("relu0", "conv1", "relu1", "relu2"):
        net.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: seen.update({name: out.requires_grad})
        )
    capture(net, random_images(1, 3, 8, 8).requires_grad_(), ["relu1", "conv2"])
    assert seen == {"relu0": False, "conv1": False, "relu1": False, "relu2": True}


def test_without_gradients_there_is_no_graph_at_all():
    got = capture(TinyNet(True), random_images(1, 3, 8, 8), LAYERS, gradients=False)
    with_graph = capture(TinyNet(), random_images(1, 3, 8, 8), LAYERS)
    assert got.G == {}
    assert all(torch.equal(got.A[name], with_graph.A[name]) for name in LAYERS)
    assert torch.equal(got.score, with_graph.score)


def state(model):
    return (
        [(p.requires_grad, p.grad, p._version) for p in model.parameters()],
        [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in model.modules()],
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_rng_state().sum(),
    )


class Fails(nn.Module):
    def forward(self, x):
        raise ArithmeticError("from inside the network")


@pytest.mark.parametrize("accident", [None, "forward", "target", "score", "layer", "interrupt"])
def test_everything_is_left_as_it_was(accident):
    net = TinyNet(inplace=True)
    net.conv1.weight.requires_grad_(False)
    net.fc.weight.grad = torch.ones_like(net.fc.weight)
    images = random_images(2, 3, 8, 8).requires_grad_()
    target, layers, error = None, LAYERS, None
    if accident == "forward":
        net.dropout, error = Fails().eval(), ArithmeticError
    elif accident == "target":
        target, error = 99, ValueError
    elif accident == "score":

        def target(logits):
            raise ArithmeticError

        error = ArithmeticError
    elif accident == "layer":
        layers, error = ["conv0", "fc"], ValueError  # a (B, K) output cannot be a map
    elif accident == "interrupt":

        def target(logits):
            raise KeyboardInterrupt

        error = KeyboardInterrupt
    before = state(net)
    if error:
        with pytest.raises(error):
            capture(net, images, layers, target)
    else:
        capture(net, images, layers, target)
    after = state(net)
    assert before[1:4] == after[1:4] and before[4] == after[4]
    for (flag, grad, version), (flag2, grad2, version2) in zip(before[0], after[0], strict=True):
        assert flag == flag2 and grad is grad2 and version == version2
    assert images.requires_grad and images.grad is None
    assert (net.fc.weight.grad == 1).all()


def test_nothing_outlives_the_capture():
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    gc.collect()
    gc.disable()
    try:
        got = capture(net, images, LAYERS)
        watched = [weakref.ref(t) for t in (*got.A.values(), *got.G.values(), got.logits)]
        assert not any(t.requires_grad or t.grad_fn for t in (*got.A.values(), *got.G.values(), got.logits, got.score))
        del got
        assert all(ref() is None for ref in watched)
    finally:
        gc.enable()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_callers_may_have_gradients_off(context):
    images, target = random_images(2, 3, 8, 8), torch.tensor([0, 1])
    expected = capture(TinyNet(), images, LAYERS, target)
    net = TinyNet(inplace=True)
    with context():
        inside = torch.empty_like(images).copy_(images)  # an inference tensor in inference mode
        got = capture(net, inside, LAYERS, target.clone())
        prob = capture(net, inside, LAYERS, target.clone(), score="prob")
    for layer in LAYERS:
        assert torch.equal(got.G[layer], expected.G[layer])
    assert not prob.G["relu2"].is_inference()


class LateImage(TinyNet):
    """The image comes back after the layer, so the backward pass needs it."""

    def forward(self, images):
        x = self.relu0(self.conv0(images))
        return self.fc((x * images[:, :1]).mean((2, 3)).repeat(1, 2))


def test_images_made_in_inference_mode():
    net, images = LateImage(), random_images(2, 3, 8, 8)
    expected = capture(net, images, "relu0", 1)
    with torch.inference_mode():
        inside = images.clone()
    for context in (torch.inference_mode, torch.enable_grad):
        with context():
            got = capture(net, inside, "relu0", 1)
        assert torch.equal(got.G["relu0"], expected.G["relu0"])


def test_a_network_made_in_inference_mode_is_refused():
    with torch.inference_mode():
        net = TinyNet()
    with pytest.raises(ValueError, match="made inside torch.inference_mode"):
        capture(net, random_images(1, 3, 8, 8), "relu2")
    assert capture(net, random_images(1, 3, 8, 8), "relu2", gradients=False).A["relu2"].dim() == 4


def test_frozen_parameters_make_no_difference():
    images = random_images(1, 3, 8, 8)
    frozen = TinyNet().requires_grad_(False)
    assert torch.equal(
        capture(frozen, images, "relu1", 2).G["relu1"], capture(TinyNet(), images, "relu1", 2).G["relu1"]
    )
    assert not any(p.requires_grad for p in frozen.parameters())


def test_score_and_callable_target():
    net, images = TinyNet().double(), random_images(2, 3, 8, 8).double()
    logit, prob = (capture(net, images, "relu2", 3, score=s) for s in ("logit", "prob"))
    torch.testing.assert_close(prob.score, logit.logits.softmax(1)[:, 3])
    assert not torch.allclose(prob.G["relu2"], logit.G["relu2"])

    def contrast(values):
        return values[:, 0] - values[:, 1]

    got = capture(net, images, "relu2", contrast)
    first, second = (capture(net, images, "relu2", c).G["relu2"] for c in (0, 1))
    torch.testing.assert_close(got.G["relu2"], first - second)
    assert got.target is contrast


def test_top_1_is_resolved_per_image():
    images = torch.eye(3)[[2, 0, 1], :, None, None].expand(3, 3, 4, 4)  # blue, red, green
    got = capture(ColourNet(), images, "box")
    assert got.target.tolist() == got.logits.argmax(1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.bfloat16, torch.float32)],
)
def test_dtypes(dtype, expected):
    got = capture(TinyNet().to(dtype), random_images(1, 3, 8, 8).to(dtype), "relu1", 0)
    assert {got.logits.dtype, got.score.dtype, got.A["relu1"].dtype, got.G["relu1"].dtype} == {expected}


def test_tokens_become_grids_and_gradients_follow():
    net, images, target = TokenNet().double(), random_images(2, 3, 8, 12).double(), [1, 2]
    seen = []

    def spy(tokens):
        seen.append(tokens)
        return tokens_to_grid((2, 3))(tokens)

    got = capture(net, images, ["norm", "mlp"], target, reshape=spy)
    assert got.A["norm"].shape == got.G["mlp"].shape == (2, 8, 2, 3)
    tokens = seen[0]
    for i in range(2):
        for j in range(3):
            assert torch.equal(got.A["norm"][:, :, i, j], tokens[:, 1 + 3 * i + j])
    A, G = by_hand(TokenNet().double(), images, "norm", torch.tensor(target))
    torch.testing.assert_close(got.G["norm"], G[:, 1:].transpose(1, 2).reshape(2, 8, 2, 3))
    assert tokens_to_grid(skip=0)(A[:, :4]).shape == (2, 8, 2, 2)


@pytest.mark.parametrize(("grid", "skip", "tokens"), [(None, 1, 6), ((2, 2), 1, 6), (None, 1, 1), (None, 2, 1)])
def test_grids_that_do_not_fit(grid, skip, tokens):
    with pytest.raises(ValueError, match="do not fill a grid"):
        tokens_to_grid(grid, skip)(torch.zeros(1, tokens, 4))
    with pytest.raises(ValueError, match=r"\(1, 4, 2, 2\).*\(B, N, C\)"):
        tokens_to_grid(grid, skip)(torch.zeros(1, 4, 2, 2))


class Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.net, self.wrap = TinyNet(), wrap
        self.eval()

    def forward(self, images):
        return self.wrap(self.net(images))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: (x, "auxiliary"),
        lambda x: [x],
        lambda x: {"logits": x},
        lambda x: SimpleNamespace(logits=x, hidden=None),
    ],
)
def test_outputs_that_hold_the_logits(wrap):
    images = random_images(1, 3, 8, 8)
    plain = capture(TinyNet(), images, "relu2")
    assert torch.equal(capture(Wrapped(wrap), images, "net.relu2").G["net.relu2"], plain.G["relu2"])


def refuses(error, words, model=None, images=None, layers="relu2", **options):
    with pytest.raises(error, match=words) as caught:
        capture(
            TinyNet() if model is None else model,
            random_images(2, 3, 8, 8) if images is None else images,
            layers,
            **options,
        )
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300


def test_refusals_are_one_sentence_and_name_the_culprit():
    refuses(ValueError, "training mode.*model.eval", TinyNet().train())
    partly = TinyNet()
    partly.bn1.train()
    refuses(ValueError, r"training mode \(bn1\)", partly)
    refuses(LayerNotFoundError, "relu3.*relu2", layers="relu3")
    refuses(TypeError, "torch.nn.Module; got function", lambda x: x)
    refuses(TypeError, "uint8", images=torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    refuses(TypeError, "got list", images=[1, 2])
    refuses(ValueError, r"\(3, 8, 8\)", images=torch.zeros(3, 8, 8))
    refuses(ValueError, r"at least one image.*\(0, 3", images=torch.zeros(0, 3, 8, 8))
    refuses(ValueError, "NaN or infinite", images=torch.full((1, 3, 8, 8), float("nan")))
    refuses(ValueError, r"0\.\.4.*got \[5, 5\]|0\.\.4.*5", target=5)
    refuses(ValueError, "'logit', 'prob', 'sigmoid'; got 'loss'", score="loss")
    refuses(ValueError, r"'fc' gives the shape \(2, 5\).*reshape=", layers="fc")
    refuses(ValueError, "'unused' did not run", BranchNet(), layers=["join", "unused"])
    refuses(ValueError, "'twice' runs more than once", BranchNet(), layers="twice")
    refuses(
        TypeError,
        "'attention' must give one tensor; it gives tuple",
        TokenNet(),
        layers="attention",
        reshape=tokens_to_grid(),
    )
    refuses(TypeError, "must return logits", Wrapped(lambda x: "no"), layers="net.relu2")
    refuses(ValueError, r"\(B, K\) with B = 2; got \(5,\)", Wrapped(lambda x: x[0]), layers="net.relu2")


class NoGradTrunk(TinyNet):
    def forward(self, images):
        with torch.no_grad():
            images = self.relu0(self.conv0(images))
        return self.fc(self.relu2(self.conv2(self.relu1(self.conv1(images)))).mean((2, 3)))


def test_a_trunk_under_no_grad_is_named():
    refuses(ValueError, "'relu0' runs under torch.no_grad", NoGradTrunk(), layers="relu0")
    assert capture(NoGradTrunk(), random_images(1, 3, 8, 8), "conv1").G["conv1"].abs().sum() > 0


def test_captured_prints_short():
    text = repr(capture(TinyNet(), random_images(1, 3, 8, 8), "relu2"))
    assert isinstance(text, str) and "A=" not in text and text.startswith(Captured.__name__)


def test_logits_of_a_tensor_is_the_tensor():
    logits = torch.zeros(2, 3)
    assert logits_of(logits, 2) is logits
    refuses(ValueError, "'raise', 'last'; got 'first'", repeated="first")


def test_the_last_of_several_calls_can_be_read():
    images, target = random_images(2, 3, 6, 7).double(), torch.tensor([0, 2])
    plain, kept = BranchNet(inplace=False).double(), []
    handle = plain.twice.register_forward_hook(lambda _, __, out: kept.append(out.view_as(out)) or kept[-1])
    score = plain(images).gather(1, target[:, None]).sum()
    handle.remove()
    (G,) = torch.autograd.grad(score, kept[1])
    net = BranchNet(inplace=False).double()
    got = capture(net, images, ["stem", "twice"], target, repeated="last")
    torch.testing.assert_close(got.A["twice"], kept[1].detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(got.G["twice"], G, rtol=1e-12, atol=1e-14)
    free = capture(net, images, "twice", gradients=False, repeated="last")
    assert torch.equal(free.A["twice"], got.A["twice"]) and not torch.equal(kept[0], kept[1])


@pytest.mark.parametrize("inplace", [False, True])
def test_the_shared_relu_of_a_bottleneck(inplace):
    """torchvision's blocks call one in-place ReLU three times; its last output is the block's."""
    from torchvision.models.resnet import Bottleneck, ResNet

    net = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=4).double().eval()
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = inplace
    images, names = random_images(1, 3, 32, 40).double(), ["layer2.0.relu", "layer2"]
    with pytest.raises(ValueError, match="'layer2.0.relu' runs more than once"):
        capture(net, images, names)
    got = capture(net, images, names, 1, repeated="last")
    for tensors in (got.A, got.G):
        torch.testing.assert_close(tensors["layer2.0.relu"], tensors["layer2"])
    assert got.A["layer2"].shape == (1, 512, 4, 5) and got.G["layer2"].abs().sum() > 0
