"""The same maps by grad-cam 1.5.7, torchcam 0.5.0, captum 0.9.0 and zennit 0.5.1, each at its own defaults.

Every entry is `(model, images, layer, target) -> a function to be timed`. Where a peer's default differs from ours in
what it computes (a softmax over channels, a ReLU), the cost of its passes does not. A peer that is not installed is
left out.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from unittest import mock

import torch
from torch import Tensor, nn

HERE = {
    peer
    for peer, package in {
        "grad-cam": "pytorch_grad_cam",
        "torchcam": "torchcam",
        "captum": "captum",
        "zennit": "zennit",
    }.items()
    if importlib.util.find_spec(package)
}
if "captum" in HERE:
    import captum.attr as captum
if "torchcam" in HERE:
    import torchcam.methods as torchcam

# grad-cam is installed without its dependencies, which bring a second OpenCV; these are not used here.
_NEEDED = ("ttach", "sklearn", "sklearn.decomposition", "scipy", "scipy.ndimage", "scipy.sparse", "scipy.sparse.linalg")
_STANDINS = [n for n in _NEEDED if importlib.util.find_spec(n.split(".")[0]) is None]
sys.modules.update({name: mock.MagicMock() for name in _STANDINS})
if "grad-cam" in HERE:
    import pytorch_grad_cam as gradcam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

Peer = Callable[[nn.Module, Tensor, str, int], Callable[[], object]]


def by_gradcam(name: str) -> Peer:
    def make(model, images, layer, target):
        cam = getattr(gradcam, name)(model=model, target_layers=[model.get_submodule(layer)])
        return lambda: cam(images, [ClassifierOutputTarget(target)] * len(images))

    return make


def by_torchcam(name: str, **options: object) -> Peer:
    def make(model, images, layer, target):
        def run():
            with getattr(torchcam, name)(model, layer, input_shape=tuple(images.shape[1:]), **options) as cam:
                scores = model(images)
                return cam([target] * len(images), scores)

        return run

    return make


def by_captum(name: str, **options: object) -> Peer:
    def make(model, images, layer, target):
        method = getattr(captum, name)(model)
        return lambda: method.attribute(images.clone().requires_grad_(), target=target, **options)

    return make


def captum_layer(model, images, layer, target):
    method = captum.LayerGradCam(model, model.get_submodule(layer))
    return lambda: method.attribute(images, target=target)


def captum_noise(samples: int) -> Peer:
    def make(model, images, layer, target):
        method = captum.NoiseTunnel(captum.Saliency(model))
        return lambda: method.attribute(images.clone().requires_grad_(), target=target, nt_samples=samples)

    return make


def by_zennit(composite: str) -> Peer:
    def make(model, images, layer, target):
        from zennit import attribution, composites, torchvision

        rules = getattr(composites, composite)(canonizers=[torchvision.ResNetCanonizer()])
        start = torch.eye(model.fc.out_features)[[target] * len(images)].to(images)

        def run():
            with attribution.Gradient(model, rules) as attributor:
                return attributor(images.clone().requires_grad_(), start)

        return run

    return make


# For mask methods the peers get a layer of 256 channels, or settings that make 256 masked inputs.
_ALL: dict[str, dict[str, Peer]] = {
    "grad-cam": {"grad-cam": by_gradcam("GradCAM"), "torchcam": by_torchcam("GradCAM"), "captum": captum_layer},
    "grad-cam++": {"grad-cam": by_gradcam("GradCAMPlusPlus"), "torchcam": by_torchcam("GradCAMpp")},
    "xgrad-cam": {"grad-cam": by_gradcam("XGradCAM"), "torchcam": by_torchcam("XGradCAM")},
    "layer-cam": {"grad-cam": by_gradcam("LayerCAM"), "torchcam": by_torchcam("LayerCAM")},
    "hires-cam": {"grad-cam": by_gradcam("HiResCAM")},
    "eigen-cam": {"grad-cam": by_gradcam("EigenCAM")},
    "smooth-grad-cam++": {"torchcam": by_torchcam("SmoothGradCAMpp")},
    "cam": {"torchcam": by_torchcam("CAM", fc_layer="fc")},
    "score-cam": {"grad-cam": by_gradcam("ScoreCAM"), "torchcam": by_torchcam("ScoreCAM")},
    "ss-cam": {"torchcam": by_torchcam("SSCAM", num_samples=1)},
    "is-cam": {"torchcam": by_torchcam("ISCAM", num_samples=1)},
    "occlusion": {
        "captum": by_captum("Occlusion", sliding_window_shapes=(3, 64, 64), strides=(3, 11, 11)),
        "captum, 64 at a time": by_captum(
            "Occlusion", sliding_window_shapes=(3, 64, 64), strides=(3, 11, 11), perturbations_per_eval=64
        ),
    },
    "gradient": {"captum": by_captum("Saliency")},
    "input-x-gradient": {"captum": by_captum("InputXGradient")},
    "integrated-gradients": {"captum": by_captum("IntegratedGradients", n_steps=50, internal_batch_size=64)},
    "smoothgrad": {"captum": captum_noise(50)},
    "guided-backprop": {"captum": by_captum("GuidedBackprop")},
    "deconvnet": {"captum": by_captum("Deconvolution")},
    "fullgrad": {"grad-cam": by_gradcam("FullGrad")},
    "lrp": {"zennit, EpsilonPlus": by_zennit("EpsilonPlus")},
    "mwp": {"zennit": by_zennit("ExcitationBackprop")},
}
PEERS = {
    name: kept
    for name, peers in _ALL.items()
    if (kept := {peer: make for peer, make in peers.items() if peer.split(",")[0] in HERE})
}
