"""holicam.models.forms: compiled, parallel, quantised, exported and scripted networks: a right map or one sentence."""

from __future__ import annotations

import threading
import warnings

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.models import forms
from tests.helpers.explainers import explainer, layers
from tests.helpers.nets import TinyNet, random_images


def images() -> torch.Tensor:
    return random_images(2, 3, 16, 24)


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


def sentence(error, words: str, call) -> None:
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


LOOK_INSIDE = (
    "grad-cam",
    "score-cam",
    "lrp",
    "relevance-cam",
    "rsp",
    "fullgrad",
    "guided-backprop",
    "iia",
    "ucag",
    "gradient",
    "rise",
)


@pytest.fixture(scope="module")
def compiled():
    """A TinyNet compiled whole, after it has run: what was made of it knows no hooks."""
    try:
        net = torch.compile(TinyNet(), backend="eager")
        with torch.no_grad():
            net(images())
        yield net
    finally:
        torch.compiler.reset()


def test_compiled_networks_give_the_maps_of_the_plain_one(compiled):
    """By every kind of looking inside; the names are those of the plain network, and `_orig_mod.` before them."""
    net, x = TinyNet(), images()
    inner = TinyNet()
    inner.conv1 = torch.compile(inner.conv1, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LOOK_INSIDE:
            wanted = explainer(name)(net, x, layers(name), 1)
            for other in (compiled, inner):
                torch.testing.assert_close(explainer(name)(other, x, layers(name), 1), wanted)
    assert torch.equal(hc.GradCAM()(compiled, x, "_orig_mod.relu2", 1), hc.GradCAM()(net, x, "relu2", 1))
    assert torch.equal(hc.GradCAM()(compiled, x, compiled.relu2, 1), hc.GradCAM()(net, x, "relu2", 1))
    given = torch.rand(2, 16, 24)
    torch.testing.assert_close(hc.metrics.insertion(compiled, x, given, 1), hc.metrics.insertion(net, x, given, 1))


def test_the_compilers_stance_comes_back_whatever_threads_do(compiled):
    from torch._dynamo import eval_frame

    before, first, second = eval_frame._stance.stance, threading.Event(), threading.Event()

    def other():
        with forms.eager():
            first.set()
            second.wait(5)

    thread = threading.Thread(target=other)
    with forms.eager():
        thread.start()
        first.wait(5)
    assert eval_frame._stance.stance == "force_eager"  # the other is still inside
    second.set()
    thread.join()
    assert eval_frame._stance.stance == before


def test_data_parallel_over_several_devices():
    held = nn.DataParallel(TinyNet())
    held.device_ids = [0, 1]
    for call in (
        lambda: hc.GradCAM()(held, images(), "relu2"),
        lambda: hc.RISE(masks=2)(held, images()),
        lambda: hc.metrics.insertion(held, images(), torch.rand(2, 16, 24)),
    ):
        sentence(ValueError, "give model.module", call)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quantised_networks():
    """Their flag says training whatever one does; no gradient comes back; forwards are right."""
    quantise = getattr(torch.ao.quantization, "quantize_dynamic", None)
    if quantise is None or not {"fbgemm", "qnnpack"} & set(torch.backends.quantized.supported_engines):
        pytest.skip("this torch does not quantise")
    net, x = quantise(TinyNet(), {nn.Linear}), images()
    assert any(m.training for m in net.modules())
    for name in ("grad-cam", "gradient", "lrp", "holistic-cam", "extremal-perturbation"):
        sentence(ValueError, "quantised.*'fc'.*no gradients", lambda: explainer(name)(net, x, layers(name), 1))  # noqa: B023
    for name in ("score-cam", "rise", "occlusion"):
        got, wanted = (explainer(name)(n, x, layers(name), 1) for n in (net, TinyNet()))
        assert torch.corrcoef(torch.stack([got.flatten(), wanted.flatten()]))[0, 1] > 0.9
    sentence(ValueError, "training mode", lambda: hc.ScoreCAM()(net.train(), x, "relu2"))


def test_exported_networks():
    program = torch.export.export(plain(), (images(),))
    sentence(TypeError, "ExportedProgram: give the network", lambda: hc.GradCAM()(program, images(), "4"))
    for call in (lambda n: hc.GradCAM()(n, images(), "4"), lambda n: hc.RISE(masks=2)(n, images())):
        sentence(ValueError, "torch.export.*give the network", lambda: call(program.module()))  # noqa: B023


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        torch.jit.script,
        lambda net: torch.jit.trace(net, images()),
        lambda net: torch.jit.freeze(torch.jit.script(net)),
        lambda net: nn.Sequential(torch.jit.script(net), nn.Identity()).eval(),
    ],
)
def test_scripted_networks(make):
    net, x = make(plain()), images()
    layer = "0.4" if type(net) is nn.Sequential else "4"
    looking = (
        lambda: hc.GradCAM()(net, x, layer, 1),
        lambda: hc.ScoreCAM()(net, x, layer, 1),
        lambda: hc.UCAG(patches=2)(net, x, layer, 1),
        lambda: hc.LRP()(net, x, None, 1),
        lambda: hc.RelevanceCAM()(net, x, layer, 1),
        lambda: hc.FullGrad()(net, x, None, 1),
        lambda: hc.GuidedBackprop()(net, x, None, 1),
        lambda: hc.sanity.units(net, x),
    )
    for call in looking:
        sentence(ValueError, "TorchScript", call)
    given = torch.rand(2, 16, 24)
    for call in (
        lambda n: hc.Gradient()(n, x, None, 1),
        lambda n: hc.RISE(masks=5)(n, x, None, 1),
        lambda n: hc.UCAG(base=hc.Gradient(), patches=2)(n, x, None, 1),
        lambda n: hc.metrics.insertion(n, x, given, 1),
    ):
        torch.testing.assert_close(call(net), call(plain()), rtol=1e-4, atol=1e-6)


def test_a_graph_of_torch_fx_is_a_network_like_any_other():
    traced = torch.fx.symbolic_trace(TinyNet()).eval()
    assert torch.equal(hc.GradCAM()(traced, images(), "relu2", 1), hc.GradCAM()(TinyNet(), images(), "relu2", 1))


def test_a_norm_without_statistics_of_its_own_is_refused():
    net = plain()
    net[1] = nn.BatchNorm2d(4, track_running_stats=False)
    net.eval()
    words = r"batch norm '1' keeps no running statistics .* depend on the other images"
    sentence(ValueError, words, lambda: hc.GradCAM()(net, images(), "2", 1))
    sentence(ValueError, words, lambda: hc.metrics.insertion(net, images(), torch.rand(2, 16, 24), 1))
    net[1] = nn.InstanceNorm2d(4)  # of each image alone
    both = hc.GradCAM()(net.eval(), images(), "2", 1)
    assert torch.allclose(both[1:], hc.GradCAM()(net, images()[1:], "2", 1), atol=1e-6)


def test_the_flag_of_a_module_that_only_holds_others_is_not_read():
    nested = nn.Sequential(plain()[:5], plain()[5:]).eval()
    traced = torch.fx.symbolic_trace(nested)
    assert any(type(module) is nn.Module and module.training for module in traced.modules())
    assert torch.equal(hc.GradCAM()(traced, images(), "0.4", 1), hc.GradCAM()(nested, images(), "0.4", 1))
