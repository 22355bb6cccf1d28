"""The table of explainers: an explainer is entered here and nowhere else.

`holicam` and `methods.registry` read it; both know the class by name and import its file when it is asked for.
So nothing here imports torch. A name with a colon is a place, of an explainer of one's own (`own`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..core.places import is_place


class Info(NamedTuple):
    """What a reader wants to know before choosing.

    forwards and backwards are in F, one forward of the network on one image of the base size (a backward counts as
    the forwards on the same images); they hold for any number of layers.
    """

    name: str
    where: str  # "file in methods:class"
    forwards: float
    backwards: float
    needs: str
    paper: str
    family: str = ""  # set by `_family`

    @property
    def cost(self) -> str:
        """For example "1 F + 1 B"."""
        backwards = f" + {self.backwards:g} B" if self.backwards else ""
        return f"{self.forwards:g} F{backwards}"

    @property
    def file(self) -> str:
        """The module below `methods` that holds the class."""
        return self.where.partition(":")[0]

    @property
    def kind(self) -> str:
        """The name of the class."""
        return self.where.partition(":")[2]


def _family(family: str, *rows: Info) -> Iterator[Info]:
    return (row._replace(family=family) for row in rows)


GRADIENTS = "activations and gradients"
OF_LAYERS = "activations and gradients of several layers"
AT_SCALES = "activations and gradients at 8 scales"
ASKED = "activations; forwards only"
ASKED_LAYERS = "activations of several layers; forwards only"
INPUT = "gradients of the input"
RELUS = "a network of ReLUs"
POLYCAM = "Englebert et al., Poly-CAM, arXiv:2204.13359, in short at ICPR 2022"
ZEILER = "Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014"
EXCITATION = "Zhang et al., Top-down Neural Attention by Excitation Backprop, IJCV 2018"
LAYERCAM = "Jiang et al., LayerCAM, IEEE TIP 2021"

# Perturbation methods that ask once a channel count the 2,048 channels of a ResNet-50's last stage; Poly-CAM all its
# five layers. A row is two lines where one is too short.
# fmt: off
ROWS = (
    *_family("CAM",
        Info("cam", "cams.cam:CAM", 1, 0, "activations and a linear head on averaged channels",
            "Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016"),
        Info("activation-sum", "cams.cam:ActivationSum", 1, 0, "activations",
            "none; the unweighted map of Holistic-CAM, Fig. 4"),
        Info("grad-cam", "cams.gradcam:GradCAM", 1, 1, GRADIENTS, "Selvaraju et al., Grad-CAM, ICCV 2017"),
        Info("grad-cam++", "cams.gradcam:GradCAMpp", 1, 1, GRADIENTS, "Chattopadhay et al., Grad-CAM++, WACV 2018"),
        Info("xgrad-cam", "cams.gradcam:XGradCAM", 1, 1, GRADIENTS, "Fu et al., Axiom-based Grad-CAM, BMVC 2020"),
        Info("layer-cam", "cams.elementwise:LayerCAM", 1, 1, GRADIENTS, LAYERCAM),
        Info("layer-cam-fused", "cams.multilayer:LayerCAMFused", 1, 1, OF_LAYERS, LAYERCAM),
        Info("zoom-cam", "cams.multilayer:ZoomCAM", 1, 1, OF_LAYERS, "Shi et al., Zoom-CAM, ICPR 2020"),
        Info("hires-cam", "cams.elementwise:HiResCAM", 1, 1, GRADIENTS,
            "Draelos and Carin, Use HiResCAM instead of Grad-CAM, arXiv:2011.08891"),
        Info("eigen-cam", "cams.eigencam:EigenCAM", 1, 0, "activations", "Muhammad and Yeasin, Eigen-CAM, IJCNN 2020"),
        Info("kpca-cam", "cams.kpcacam:KPCACAM", 1, 0, "activations", "Karmani et al., KPCA-CAM, arXiv:2410.00267"),
        Info("w-grad-cam", "cams.gradcam:WGradCAM", 1, 1, GRADIENTS,
            "a reconstruction after Zhang, Rao and Yang, A Novel Visual Interpretability, AAAI 2021"),
        Info("normgrad", "cams.normgrad:NormGrad", 1, 1, GRADIENTS, "Rebuffi et al., There and Back Again, CVPR 2020"),
        Info("smooth-grad-cam++", "cams.smooth:SmoothGradCAMpp", 5, 4, GRADIENTS,
            "Omeiza et al., Smooth Grad-CAM++, arXiv:1908.01224"),
        Info("iia", "cams.iia:IIA", 11, 11, GRADIENTS,
            "Barkan et al., Visual Explanations via Iterated Integrated Attributions, ICCV 2023 (the papers' IAA)"),
    ),
    *_family("multi-scale CAM",
        Info("msg-cam", "cams.msgcam:MSGCAM", 93.9, 60.9, "activations and gradients at 8 scales; 33 forwards a layer",
            "a reconstruction of Xiang et al., Multi-scale Inputs, ICME 2023, after Group-CAM (Zhang et al.)"),
        Info("cameras", "cams.multiscale:CAMERAS", 60.9, 60.9, AT_SCALES, "Jalwana et al., CAMERAS, CVPR 2021"),
        Info("holistic-cam", "cams.holistic:HolisticCAM", 60.9, 60.9, AT_SCALES,
            "Chen et al., Holistic-CAM, ACM Multimedia 2024"),
    ),
    *_family("Poly-CAM",
        Info("pcam+", "perturbation.polycam:PCAMPlus", 3905, 0, ASKED_LAYERS, POLYCAM),
        Info("pcam-", "perturbation.polycam:PCAMMinus", 3905, 0, ASKED_LAYERS, POLYCAM),
        Info("pcam+-", "perturbation.polycam:PCAM", 7809, 0, ASKED_LAYERS, POLYCAM),
        Info("cam+", "perturbation.channelcam:CAMPlus", 2049, 0, ASKED,
            "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B"),
        Info("cam-", "perturbation.channelcam:CAMMinus", 2049, 0, ASKED,
            "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B"),
        Info("cam+-", "perturbation.channelcam:CAMBoth", 4097, 0, ASKED,
            "Englebert et al., Poly-CAM, arXiv:2204.13359, appendix B"),
    ),
    *_family("wrapper",
        Info("ucag", "ucag:UCAG", 75.4, 74.4, "what its base needs; here Grad-CAM on 36 patches",
            "Hong et al., Unfold and Conquer Attribution Guidance, AAAI 2023"),
        Info("finer-cam", "finercam:FinerCAM", 2, 1, "what its base needs, here Grad-CAM; two classes or more",
            "Zhang et al., Finer-CAM, CVPR 2025"),
    ),
    *_family("perturbation",
        Info("score-cam", "perturbation.scorecam:ScoreCAM", 2049, 0, ASKED,
            "Wang et al., Score-CAM, CVPR workshops 2020"),
        Info("ablation-cam", "perturbation.ablationcam:AblationCAM", 2049, 0, ASKED,
            "Desai and Ramaswamy, Ablation-CAM, WACV 2020"),
        Info("ss-cam", "perturbation.scorecam:SSCAM", 71681, 0, ASKED, "Wang et al., SS-CAM, arXiv:2006.14255"),
        Info("is-cam", "perturbation.scorecam:ISCAM", 20481, 0, ASKED, "Naidu et al., IS-CAM, arXiv:2010.03023"),
        Info("rise", "perturbation.rise:RISE", 6001, 0, "forwards only", "Petsiuk et al., RISE, BMVC 2018"),
        Info("occlusion", "perturbation.rise:Occlusion", 442, 0, "forwards only", ZEILER),
        Info("extremal-perturbation", "perturbation.extremal:ExtremalPerturbation", 3201, 3200, INPUT,
            "Fong et al., Understanding Deep Networks via Extremal Perturbations, ICCV 2019"),
    ),
    *_family("gradient",
        Info("gradient", "gradients.gradient:Gradient", 1, 1, INPUT,
            "Simonyan et al., Deep Inside Convolutional Networks, ICLR workshops 2014"),
        Info("input-x-gradient", "gradients.gradient:InputXGradient", 1, 1, INPUT,
            "Shrikumar et al., Not Just a Black Box, arXiv:1605.01713"),
        Info("integrated-gradients", "gradients.integrated:IntegratedGradients", 51, 50, INPUT,
            "Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017"),
        Info("smoothgrad", "gradients.gradient:SmoothGrad", 51, 50, INPUT,
            "Smilkov et al., SmoothGrad, arXiv:1706.03825"),
        Info("guided-backprop", "gradients.guided:GuidedBackprop", 1, 1, RELUS,
            "Springenberg et al., Striving for Simplicity, ICLR workshops 2015"),
        Info("deconvnet", "gradients.guided:DeconvNet", 1, 1, RELUS, ZEILER),
        Info("fullgrad", "gradients.fullgrad:FullGrad", 1, 1, "a network of ReLUs, for the sum to be complete",
            "Srinivas and Fleuret, Full-Gradient Representation, NeurIPS 2019"),
        Info("legrad", "gradients.legrad:LeGrad", 2, 1, "a transformer of nn.MultiheadAttention",
            "Bousselham et al., LeGrad, ICCV 2025"),
    ),
    *_family("relevance",
        Info("lrp", "relevance.lrp:LRP", 1, 2, RELUS, "Bach et al., On Pixel-Wise Explanations, PLOS ONE 2015"),
        Info("c-lrp", "relevance.lrp:ContrastiveLRP", 1, 4, RELUS,
            "Gu et al., Understanding Individual Decisions of CNNs, ACCV 2018"),
        Info("sglrp", "relevance.lrp:SGLRP", 1, 4, RELUS,
            "Iwana et al., Explaining CNNs Using Softmax Gradient LRP, ICCV workshops 2019"),
        Info("relevance-cam", "relevance.layermaps:RelevanceCAM", 1, 2, RELUS, "Lee et al., Relevance-CAM, CVPR 2021"),
        Info("mwp", "relevance.layermaps:MWP", 1, 2, RELUS, EXCITATION),
        Info("c-mwp", "relevance.layermaps:ContrastiveMWP", 1, 2, RELUS, EXCITATION),
        Info("rap", "relevance.rap:RAP", 1, 4, RELUS, "Nam et al., Relative Attributing Propagation, AAAI 2020"),
        Info("rsp", "relevance.rsp:RSP", 2, 7, RELUS,
            "Nam et al., Interpreting Deep Neural Networks with Relative Sectional Propagation, AAAI 2021"),
        Info("agf", "relevance.agf:AGF", 2, 6, RELUS,
            "Gur et al., Visualization of Supervised and Self-Supervised Neural Networks, AAAI 2021"),
    ),
    *_family("control",
        Info("random", "controls:RandomMap", 0, 0, "nothing", "none; a map that knows nothing"),
        Info("center", "controls:CenterMap", 0, 0, "nothing", "the center baseline of UCAG's Table 2"),
        Info("sobel", "controls:SobelMap", 0, 0, "the image",
            "the edge detector of Adebayo et al., Sanity Checks, NeurIPS 2018"),
        Info("ground-truth", "controls:GroundTruth", 0, 0, "the true masks", "none; the object itself"),
    ),
)
# fmt: on


class _Table(dict[str, Info]):
    """The rows by name; a place such as "my_file:MyCAM" has one too, which says that `own` finds it."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or is_place(name)

    def __missing__(self, name: str) -> Info:
        if not is_place(name):
            raise KeyError(name)
        return Info(name, f"own:{name}", 1, 1, "what its own code reads", "your own", "your own")


TABLE = _Table({row.name: row for row in ROWS})
