"""holicam.models.hooks: hooks on the user's own network are for the thread that set them."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.core.capture import tokens_to_grid
from holicam.core.layout import watched
from holicam.models.hooks import held, of_this_thread
from tests.helpers.nets import TinyNet, TinyViT, TokenNet, random_images


class Meanwhile(nn.Module):
    """While it runs, a thread of the user's runs the same network on other images."""

    def __init__(self, net: nn.Module, others: torch.Tensor, gradients: bool) -> None:
        super().__init__()
        self.net, self.others, self.gradients = net, others, gradients
        self.answers: list[torch.Tensor] = []
        self.eval()

    def answer(self) -> None:
        x = self.others.clone().requires_grad_(self.gradients)
        with torch.set_grad_enabled(self.gradients):
            y = self.net(x)
        self.answers.append(torch.autograd.grad(y.sum(), x)[0] if self.gradients else y)

    def forward(self, x):
        thread = threading.Thread(target=self.answer)
        thread.start()
        thread.join()
        return self.net(x)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize(
    ("ready", "net", "layer", "reshape"),
    [
        (hc.AblationCAM(chunk=4), TinyNet(), "relu1", None),
        (hc.AblationCAM(chunk=4), TokenNet(), "mlp", tokens_to_grid()),
        (hc.IIA(preset="nested", steps=2, inner=2), TinyNet(), "relu1", None),
        (hc.LeGrad(), TinyViT(), None, None),
        (hc.FullGrad(), TinyNet(), None, None),
    ],
)
def test_forwards_of_another_thread_neither_disturb_nor_are_disturbed(ready, net, layer, reshape, gradients):
    images, others = random_images(2, 3, 24, 24), random_images(1, 3, 24, 24) * 2
    around = Meanwhile(net, others, gradients)
    around.answer()
    wanted = ready(net, images, layer, 1, reshape=reshape)
    got = ready(around, images, layer and f"net.{layer}", 1, reshape=reshape)
    assert torch.equal(got, wanted) and len(around.answers) > 1
    assert all(torch.equal(answer, around.answers[0]) for answer in around.answers)


def test_what_another_thread_reads_tells_nothing_of_a_layout():
    net = nn.Sequential(nn.Identity(), nn.Linear(4, 4)).eval()
    with watched(net, {"0": net[0]}) as readers:
        thread = threading.Thread(target=lambda: net(torch.zeros(1, 4)))
        thread.start()
        thread.join()
        assert readers == {"0": set()}
        net(torch.zeros(1, 4))
        assert readers == {"0": {"last"}}


def test_a_backward_runs_blocks_again_in_whatever_thread():
    """As autograd does on a GPU, where its thread is not the one that asked."""
    layer, seen, x = nn.Identity(), [], torch.ones(1, requires_grad=True)
    y = x * 2
    y.register_hook(lambda G: layer(G) * 1)
    with held([layer.register_forward_hook(of_this_thread(lambda *given: seen.append(given)))]):
        thread = threading.Thread(target=y.backward)
        thread.start()
        thread.join()
    assert len(seen) == 1
