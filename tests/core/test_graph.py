"""holicam.core.graph: scores that do not depend on what is explained, and networks that run in parts twice."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import holicam as hc
from holicam.core.capture import capture, tokens_to_grid
from holicam.core.graph import ZeroGradientWarning, all_zero, zero_images
from tests.helpers.explainers import OF_CONVOLUTIONS, explainer, layers, maps
from tests.helpers.nets import TinyNet, TokenNet, random_images

WITHOUT_GRADIENTS = (
    "cam",
    "activation-sum",
    "eigen-cam",
    "kpca-cam",
    "ablation-cam",
    "pcam+",
    "pcam-",
    "pcam+-",
    "cam+",
    "cam-",
    "cam+-",
    "score-cam",
    "ss-cam",
    "is-cam",
    "rise",
    "occlusion",
    "random",
    "center",
    "sobel",
    "ground-truth",
)
by_gradient = pytest.mark.parametrize("name", [name for name in OF_CONVOLUTIONS if name not in WITHOUT_GRADIENTS])


class NoGrad(TinyNet):
    """A no_grad left from an inference script."""

    @torch.no_grad()
    def forward(self, images):
        return super().forward(images)


class Detached(TinyNet):
    """Features leave the graph before the head, as where only a head was trained."""

    def forward(self, images):
        for i in range(3):
            for kind in ("conv", "bn", "relu"):
                images = getattr(self, f"{kind}{i}")(images)
        return self.fc(images.mean((2, 3)).detach())


class Rounded(TinyNet):
    """Its logits are read from another tensor, as in a quantised network."""

    def forward(self, images):
        return torch.from_numpy(super().forward(images).detach().numpy().round(4))


@by_gradient
@pytest.mark.parametrize("make", [NoGrad, Detached, Rounded])
def test_a_score_that_does_not_depend_on_what_is_explained_is_an_error(name, make):
    with pytest.raises(ValueError, match=r"no_grad|relevance cannot|does not depend") as caught:
        maps(name, make().double(), random_images(1, 3, 24, 40).double(), 1)
    assert "\n" not in str(caught.value)


@by_gradient
def test_a_saturated_score_is_told(name):
    """The probability of a class that is certain has the gradient 0 in every number format."""
    ready = explainer(name)
    if not hasattr(ready, "score"):
        return
    net = TinyNet().double()
    with torch.no_grad():
        net.fc.bias[1] += 1e6
    with pytest.warns(ZeroGradientWarning, match="exactly 0"):
        found = hc.explainers[name](**{**vars(ready), "score": "prob"})(
            net, random_images(1, 3, 24, 40).double(), layers(name), 1
        )
    assert bool(found.isfinite().all())


def test_dead_units_are_told_once_and_other_images_are_not_in_the_way():
    net, images = TinyNet(), random_images(2, 3, 8, 8)
    with torch.no_grad():
        net.bn2.weight.zero_()
        net.bn2.bias.fill_(-1)
    with pytest.warns(ZeroGradientWarning, match="layer 'relu1'") as caught:
        got = hc.LayerCAM()(net, images, "relu1", 1)
    assert len(caught) == 1 and torch.equal(got, torch.zeros_like(got))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hc.LayerCAM()(TinyNet(), torch.cat([images, torch.zeros_like(images)]), "relu1", 1)


class ClassToken(TokenNet):
    """What a vision transformer's head reads: the first token alone."""

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.fc((x + self.mlp(x))[:, 0])


def test_a_layer_behind_the_last_attention():
    net, images = ClassToken(), random_images(2, 3, 12, 12)
    with pytest.raises(ValueError, match="'mlp' only through values that reshape leaves out, such as the class token"):
        hc.GradCAM()(net, images, "mlp", 1, reshape=tokens_to_grid())
    assert bool(hc.GradCAM()(net, images, "norm", 1, reshape=tokens_to_grid()).any())
    assert capture(net, images, "mlp", gradients=False, reshape=tokens_to_grid()).A["mlp"].shape == (2, 8, 3, 3)


class DeadForBlack(TinyNet):
    """Black images end behind a ReLU that is closed, others do not."""

    def forward(self, images):
        shown = images.abs().amax((1, 2, 3), keepdim=True) > 0
        return super().forward(images) * shown.flatten(1)


@pytest.mark.parametrize(
    ("ready", "layer"),
    [(hc.GradCAM(), "relu1"), (hc.Gradient(), None), (hc.IntegratedGradients(steps=3, chunk=2), None)],
)
def test_dead_images_of_a_batch_are_named_as_they_are_alone(ready, layer):
    net, images = DeadForBlack(), random_images(3, 3, 8, 8)
    images[1] = 0
    with pytest.warns(ZeroGradientWarning, match=r"exactly 0, for image 1 of 3, counted from 0, so the map") as caught:
        together = ready(net, images, layer, 1)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert [bool(m.any()) for m in together] == [True, False, True]
    with pytest.warns(ZeroGradientWarning, match="for all images"):
        ready(net, images[1:2], layer, 1)
    images[2] = 0
    with pytest.warns(ZeroGradientWarning, match="for images 1, 2 of 3"):
        ready(net, images, layer, 1)


def test_dead_images_are_told_in_every_call():
    """Python's own filter gives equal warnings of one line once; each of these is about other images."""
    net, black = DeadForBlack(), torch.zeros(1, 3, 8, 8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            hc.GradCAM()(net, black, "relu1", 1)
    assert [w.category for w in caught] == [ZeroGradientWarning] * 3


def test_all_zero():
    assert bool(all_zero(torch.zeros(2, 3))) and bool(all_zero(-torch.zeros(2)))
    for other in (1e-45, -1e-45, float("nan"), float("inf")):
        assert not bool(all_zero(torch.tensor([0, other])))
        assert zero_images(torch.tensor([[0, other], [0, -0.0]])).tolist() == [False, True]


class Checkpointed(TinyNet):
    """The second and third block are computed again when gradients are taken."""

    def __init__(self, inplace: bool = False, reentrant: bool = False) -> None:
        super().__init__(inplace)
        self.reentrant = reentrant

    def upper(self, x):
        for i in (1, 2):
            for kind in ("conv", "bn", "relu"):
                x = getattr(self, f"{kind}{i}")(x)
        return x

    def forward(self, images):
        x = checkpoint(lambda x: self.relu0(self.bn0(self.conv0(x))), images, use_reentrant=self.reentrant)
        return self.fc(checkpoint(self.upper, x, use_reentrant=self.reentrant).mean((2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", OF_CONVOLUTIONS)
def test_a_checkpointed_network_gets_the_same_maps(name, inplace):
    x, plain, again = random_images(2, 3, 24, 40).double(), TinyNet(inplace).double(), Checkpointed(inplace).double()
    seed = torch.get_rng_state()
    for where in (layers(name), "conv1" if layers(name) == "relu2" and name != "cam" else None):
        if where is None and layers(name) is not None:
            continue
        ready = explainer(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            want = ready(plain, x, where, 1)
            got = ready(again, x, where, 1)
        assert torch.equal(got, want)
    assert torch.equal(torch.get_rng_state(), seed)


def test_densenet_saving_memory():
    from torchvision.models.densenet import DenseNet

    x = random_images(1, 3, 32, 32)
    for ready, where in (
        (hc.GradCAM(), ["features.denseblock1.denselayer1.conv1", "features.denseblock2"]),
        (hc.GuidedBackprop(), None),
        (hc.LRP(), None),
    ):
        found = []
        for save in (False, True):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                net = DenseNet(4, (1, 2), 8, num_classes=3, memory_efficient=save).eval()
            made = ready(net, x, where, 1)
            found.append(made if isinstance(made, torch.Tensor) else torch.stack(list(made.values())))
        assert torch.equal(*found) and bool(found[0].any())


@pytest.mark.parametrize("name", ["grad-cam", "gradient", "guided-backprop", "holistic-cam"])
def test_checkpoints_of_the_old_kind_get_one_sentence(name):
    where = None if layers(name) is None else "conv1"
    with pytest.raises(ValueError, match="use_reentrant=False, or turn checkpointing off") as caught:
        explainer(name)(Checkpointed(reentrant=True), random_images(1, 3, 24, 40), where, 1)
    assert "\n" not in str(caught.value)


def test_a_forward_of_somebody_else_is_not_recorded():
    """A thread of the user's that runs the network meanwhile neither disturbs nor is disturbed."""
    import threading

    net, images = TinyNet(), random_images(1, 3, 8, 8)
    want, other = hc.GradCAM()(net, images, "relu1", 1), []

    class Meanwhile(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            thread = threading.Thread(target=lambda: other.append(net(images * 2)))
            thread.start()
            thread.join()
            return self.net(x)

    got = hc.GradCAM()(Meanwhile().eval(), images, "net.relu1", 1)
    assert torch.equal(got, want) and torch.equal(other[0], net(images * 2))
