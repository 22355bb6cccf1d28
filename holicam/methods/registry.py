"""Explainers by name, what each costs, and several of them on the same images."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ..core.capture import Reshape
from ..core.guard import guarded
from ..core.ops import Target
from ..core.options import Maps, Size
from ..core.passes import PassExplainer, run
from ..models.layers import Layers, as_given, is_single


class UnknownExplainerError(KeyError):
    """No explainer of that name; the message lists the close ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Info:
    """What a reader wants to know before choosing.

    forwards and backwards are in F, one forward of the network on one image of the base size (a
    backward counts as the forwards on the same images); they hold for any number of layers.
    """

    name: str
    family: str
    forwards: float
    backwards: float
    needs: str
    paper: str

    @property
    def cost(self) -> str:
        """For example "1 F + 1 B"."""
        backwards = f" + {self.backwards:g} B" if self.backwards else ""
        return f"{self.forwards:g} F{backwards}"


# name: (where the class lives, family, forwards, backwards, needs, paper). Perturbation methods that ask
# once a channel count the 2,048 channels of a ResNet-50's last stage; Poly-CAM all its five layers.
_GRADS = "activations and gradients"
_TABLE = {
    "cam": (
        "cams.gradcam:CAM",
        "CAM",
        1,
        0,
        "activations and a linear head on averaged channels",
        "Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016",
    ),
    "activation-sum": (
        "cams.gradcam:ActivationSum",
        "CAM",
        1,
        0,
        "activations",
        "none; the unweighted map of Holistic-CAM, Fig. 4",
    ),
    "grad-cam": ("cams.gradcam:GradCAM", "CAM", 1, 1, _GRADS, "Selvaraju et al., Grad-CAM, ICCV 2017"),
    "grad-cam++": ("cams.gradcam:GradCAMpp", "CAM", 1, 1, _GRADS, "Chattopadhay et al., Grad-CAM++, WACV 2018"),
    "xgrad-cam": ("cams.gradcam:XGradCAM", "CAM", 1, 1, _GRADS, "Fu et al., Axiom-based Grad-CAM, BMVC 2020"),
    "layer-cam": ("cams.gradcam:LayerCAM", "CAM", 1, 1, _GRADS, "Jiang et al., LayerCAM, IEEE TIP 2021"),
    "layer-cam-fused": (
        "cams.multilayer:LayerCAMFused",
        "CAM",
        1,
        1,
        _GRADS + " of several layers",
        "Jiang et al., LayerCAM, IEEE TIP 2021",
    ),
    "zoom-cam": (
        "cams.multilayer:ZoomCAM",
        "CAM",
        1,
        1,
        _GRADS + " of several layers",
        "Shi et al., Zoom-CAM, ICPR 2020",
    ),
    "hires-cam": (
        "cams.gradcam:HiResCAM",
        "CAM",
        1,
        1,
        _GRADS,
        "Draelos and Carin, Use HiResCAM instead of Grad-CAM, arXiv:2011.08891",
    ),
    "eigen-cam": ("cams.eigencam:EigenCAM", "CAM", 1, 0, "activations", "Muhammad and Yeasin, Eigen-CAM, IJCNN 2020"),
    "w-grad-cam": (
        "cams.gradcam:WGradCAM",
        "CAM",
        1,
        1,
        _GRADS,
        "a reconstruction after Zhang, Rao and Yang, A Novel Visual Interpretability, AAAI 2021",
    ),
    "normgrad": ("cams.normgrad:NormGrad", "CAM", 1, 1, _GRADS, "Rebuffi et al., There and Back Again, CVPR 2020"),
    "smooth-grad-cam++": (
        "cams.smooth:SmoothGradCAMpp",
        "CAM",
        5,
        4,
        _GRADS,
        "Omeiza et al., Smooth Grad-CAM++, arXiv:1908.01224",
    ),
    "iia": (
        "cams.iia:IIA",
        "CAM",
        11,
        11,
        _GRADS,
        "Barkan et al., Visual Explanations via Iterated Integrated Attributions, ICCV 2023 (the papers' IAA)",
    ),
    "msg-cam": (
        "cams.msgcam:MSGCAM",
        "multi-scale CAM",
        93.9,
        60.9,
        _GRADS + " at 8 scales; 33 forwards a layer",
        "a reconstruction of Xiang et al., Multi-scale Inputs, ICME 2023, after Group-CAM (Zhang et al.)",
    ),
    "cameras": (
        "cams.multiscale:CAMERAS",
        "multi-scale CAM",
        60.9,
        60.9,
        _GRADS + " at 8 scales",
        "Jalwana et al., CAMERAS, CVPR 2021",
    ),
    "holistic-cam": (
        "cams.holistic:HolisticCAM",
        "multi-scale CAM",
        60.9,
        60.9,
        _GRADS + " at 8 scales",
        "Chen et al., Holistic-CAM, ACM Multimedia 2024",
    ),
    "pcam+": (
        "perturbation.polycam:PCAMPlus",
        "Poly-CAM",
        3905,
        0,
        "activations of several layers; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, in short at ICPR 2022",
    ),
    "pcam-": (
        "perturbation.polycam:PCAMMinus",
        "Poly-CAM",
        3905,
        0,
        "activations of several layers; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, in short at ICPR 2022",
    ),
    "pcam+-": (
        "perturbation.polycam:PCAM",
        "Poly-CAM",
        7809,
        0,
        "activations of several layers; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, in short at ICPR 2022",
    ),
    "cam+": (
        "perturbation.channelcam:CAMPlus",
        "Poly-CAM",
        2049,
        0,
        "activations; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B",
    ),
    "cam-": (
        "perturbation.channelcam:CAMMinus",
        "Poly-CAM",
        2049,
        0,
        "activations; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B",
    ),
    "cam+-": (
        "perturbation.channelcam:CAMBoth",
        "Poly-CAM",
        4097,
        0,
        "activations; forwards only",
        "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B",
    ),
    "ucag": (
        "ucag:UCAG",
        "wrapper",
        75.4,
        74.4,
        "what its base needs; here Grad-CAM on 36 patches",
        "Hong et al., Unfold and Conquer Attribution Guidance, AAAI 2023",
    ),
    "score-cam": (
        "perturbation.scorecam:ScoreCAM",
        "perturbation",
        2049,
        0,
        "activations; forwards only",
        "Wang et al., Score-CAM, CVPR workshops 2020",
    ),
    "ss-cam": (
        "perturbation.scorecam:SSCAM",
        "perturbation",
        71681,
        0,
        "activations; forwards only",
        "Wang et al., SS-CAM, arXiv:2006.14255",
    ),
    "is-cam": (
        "perturbation.scorecam:ISCAM",
        "perturbation",
        20481,
        0,
        "activations; forwards only",
        "Naidu et al., IS-CAM, arXiv:2010.03023",
    ),
    "rise": ("perturbation.rise:RISE", "perturbation", 6001, 0, "forwards only", "Petsiuk et al., RISE, BMVC 2018"),
    "occlusion": (
        "perturbation.rise:Occlusion",
        "perturbation",
        442,
        0,
        "forwards only",
        "Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
    ),
    "extremal-perturbation": (
        "perturbation.extremal:ExtremalPerturbation",
        "perturbation",
        3201,
        3200,
        "gradients of the input",
        "Fong et al., Understanding Deep Networks via Extremal Perturbations, ICCV 2019",
    ),
    "gradient": (
        "gradients.gradient:Gradient",
        "gradient",
        1,
        1,
        "gradients of the input",
        "Simonyan et al., Deep Inside Convolutional Networks, ICLR workshops 2014",
    ),
    "input-x-gradient": (
        "gradients.gradient:InputXGradient",
        "gradient",
        1,
        1,
        "gradients of the input",
        "Shrikumar et al., Not Just a Black Box, arXiv:1605.01713",
    ),
    "integrated-gradients": (
        "gradients.integrated:IntegratedGradients",
        "gradient",
        51,
        50,
        "gradients of the input",
        "Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017",
    ),
    "smoothgrad": (
        "gradients.gradient:SmoothGrad",
        "gradient",
        51,
        50,
        "gradients of the input",
        "Smilkov et al., SmoothGrad, arXiv:1706.03825",
    ),
    "guided-backprop": (
        "gradients.guided:GuidedBackprop",
        "gradient",
        1,
        1,
        "a network of ReLUs",
        "Springenberg et al., Striving for Simplicity, ICLR workshops 2015",
    ),
    "deconvnet": (
        "gradients.guided:DeconvNet",
        "gradient",
        1,
        1,
        "a network of ReLUs",
        "Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
    ),
    "fullgrad": (
        "gradients.fullgrad:FullGrad",
        "gradient",
        1,
        1,
        "a network of ReLUs, for the sum to be complete",
        "Srinivas and Fleuret, Full-Gradient Representation, NeurIPS 2019",
    ),
    "lrp": (
        "relevance:LRP",
        "relevance",
        1,
        2,
        "a network of ReLUs",
        "Bach et al., On Pixel-Wise Explanations, PLOS ONE 2015",
    ),
    "c-lrp": (
        "relevance:ContrastiveLRP",
        "relevance",
        1,
        4,
        "a network of ReLUs",
        "Gu et al., Understanding Individual Decisions of CNNs, ACCV 2018",
    ),
    "sglrp": (
        "relevance:SGLRP",
        "relevance",
        1,
        4,
        "a network of ReLUs",
        "Iwana et al., Explaining CNNs Using Softmax Gradient LRP, ICCV workshops 2019",
    ),
    "relevance-cam": (
        "relevance:RelevanceCAM",
        "relevance",
        1,
        2,
        "a network of ReLUs",
        "Lee et al., Relevance-CAM, CVPR 2021",
    ),
    "mwp": (
        "relevance:MWP",
        "relevance",
        1,
        2,
        "a network of ReLUs",
        "Zhang et al., Top-down Neural Attention by Excitation Backprop, IJCV 2018",
    ),
    "c-mwp": (
        "relevance:ContrastiveMWP",
        "relevance",
        1,
        2,
        "a network of ReLUs",
        "Zhang et al., Top-down Neural Attention by Excitation Backprop, IJCV 2018",
    ),
    "rap": (
        "relevance:RAP",
        "relevance",
        1,
        4,
        "a network of ReLUs",
        "Nam et al., Relative Attributing Propagation, AAAI 2020",
    ),
    "rsp": (
        "relevance:RSP",
        "relevance",
        2,
        9,
        "a network of ReLUs",
        "Nam et al., Interpreting Deep Neural Networks with Relative Sectional Propagation, AAAI 2021",
    ),
    "agf": (
        "relevance:AGF",
        "relevance",
        2,
        6,
        "a network of ReLUs",
        "Gur et al., Visualization of Supervised and Self-Supervised Neural Networks, AAAI 2021",
    ),
    "random": ("controls:RandomMap", "control", 0, 0, "nothing", "none; a map that knows nothing"),
    "center": ("controls:CenterMap", "control", 0, 0, "nothing", "the center baseline of UCAG's Table 2"),
    "sobel": (
        "controls:SobelMap",
        "control",
        0,
        0,
        "the image",
        "the edge detector of Adebayo et al., Sanity Checks, NeurIPS 2018",
    ),
    "ground-truth": ("controls:GroundTruth", "control", 0, 0, "the true masks", "none; the object itself"),
}


def _row(name: str) -> tuple:
    if name not in _TABLE:
        close = difflib.get_close_matches(str(name).lower(), _TABLE, n=3, cutoff=0.4)
        raise UnknownExplainerError(f"there is no explainer {name!r}; close names are {', '.join(close or _TABLE)}")
    return _TABLE[name]


class _Explainers(Mapping):
    """Names -> classes. A class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type:
        module, attribute = _row(name)[0].split(":")
        return getattr(importlib.import_module(f".{module}", __package__), attribute)

    def __contains__(self, name: object) -> bool:
        return name in _TABLE

    def __iter__(self) -> Iterator[str]:
        return iter(_TABLE)

    def __len__(self) -> int:
        return len(_TABLE)

    def __repr__(self) -> str:
        return f"explainers({', '.join(_TABLE)})"


explainers: Mapping[str, type] = _Explainers()


def info(name: str) -> Info:
    """Family, cost, needs and paper of an explainer. Raises UnknownExplainerError."""
    return Info(name, *_row(name)[1:])


@guarded
def explain_many(
    chosen: Mapping[Hashable, object] | Iterable[object],
    model: nn.Module,
    images: Tensor,
    layers: Layers | None = None,
    target: Target = None,
    *,
    size: Size = None,
    reshape: Reshape | None = None,
) -> dict[Hashable, Maps]:
    """Several explainers on the same images, layers and target.

    The CAM family (single-scale, multi-scale, joint) shares passes: one forward and one backward for
    each view of the images that anybody asks for, whatever the number of explainers and layers.
    The others run on their own, with the target that the first pass resolved.

    Args:
        chosen: names or explainers, or a mapping from any label to them.
        layers: as for a single explainer. Methods that join several layers join these; methods that
            explain the input itself take no layers and are not given any.
        model, images, target, size, reshape: as for a single explainer.

    Returns {label, or the name or explainer as given: what the explainer alone would return}.
    """
    if isinstance(chosen, str) or not isinstance(chosen, (Mapping, Iterable)):
        chosen = [chosen]
    labelled = chosen if isinstance(chosen, Mapping) else {item: item for item in chosen}
    ready = {label: explainers[item]() if isinstance(item, str) else item for label, item in labelled.items()}
    for item in ready.values():
        if isinstance(item, type) or not callable(item):
            made = (
                f"{item.__name__} is a class: give an explainer, such as {item.__name__}()"
                if isinstance(item, type)
                else f"{item!r} is none"
            )
            raise TypeError(f"chosen must hold explainers or their names; {made}")
    together = {label: item for label, item in ready.items() if isinstance(item, PassExplainer)}
    if layers is not None and not is_single(layers):
        layers = as_given(layers)  # all of them read it
    maps = {}
    if together:
        maps, last = run(together, model, images, layers, target, size=size, reshape=reshape)
        target = last.target
    for label, explainer in ready.items():
        if label not in maps:
            own = None if getattr(explainer, "takes", "layer") == "input" else layers
            maps[label] = explainer(model, images, own, target, size=size, reshape=reshape)
    return {label: maps[label] for label in ready}
