"""LRP and its two contrastive starts: the same walk to the image, begun with other numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ...core.explainer import Call, InputExplainer
from ...core.options import NotNegative, among
from .rules import Rules, alpha_beta, divide, nonzero, passes, zbox, zplus
from .walk import Walk, walk

AFFINE = {"pass": passes, "nonzero": nonzero}
STARTS = ("logit", "one")


Start = Annotated[str, among(STARTS)]
Affine = Annotated[str, among(AFFINE)]
First = Annotated[str, among(("zbox", "zplus"))]


def amount_of(start: str, walked: Walk) -> Tensor | float:
    """What a walk starts with: S_c (B, 1) for "logit", or 1."""
    return walked.score if start == "logit" else 1.0


class Rooted(InputExplainer):
    """What LRP and its contrastive forms share: the rules that their fields name."""

    alpha: float
    beta: float
    first: str
    affine: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(self.alpha - self.beta - 1) > 1e-6:
            raise ValueError(
                f"alpha - beta must be 1, or relevance grows or shrinks at every layer; got {self.alpha} - {self.beta}"
            )

    def rules(self) -> Rules:
        """How each layer shares."""
        linear = alpha_beta(self.alpha, self.beta) if self.beta else zplus
        return Rules(linear, zbox if self.first == "zbox" else linear, AFFINE[self.affine])


@dataclass(frozen=True, kw_only=True)
class LRP(Rooted):
    r"""R_in = u \odot L_V^T (R \oslash L_V(u)) from the logit down to the image, summed over colours.

    Convolutions and linear layers share by the alpha-beta rule, the layer that reads the image by z^B, sums and
    average poolings in proportion; batch norms, ReLUs and dropout pass relevance on; a max-pooling gives it to the
    winner; biases get none. So the map sums to the start, S_c, but for relevance that reaches a layer whose inputs
    are all 0.

    Needs convolutions, linear layers, batch norms, ReLUs, poolings, sums and differences. What does not
    depend on the image is a constant and gets none, so a network may normalise its images itself. What
    the network detaches takes its share, and that ends there. One forward, about two backwards. Bach et
    al., "On Pixel-Wise Explanations", PLOS ONE 2015; z^B: Montavon et al., Pattern Recognition 2017; UCAG eq. 3.
    Built in chapter 11.

    Args:
        alpha: of the rule, alpha - beta = 1; 1 and 0 is z^+.
        beta: of the rule, at least 0.
        first: the rule of the layer that reads the image, "zbox" (z^B between the image's own extremes) or "zplus".
        start: "logit", S_c, or "one", which does not flip the map when S_c < 0.
        affine: what a batch norm does, "pass", or "nonzero" to drop what lands on inputs of exactly 0, as the codes
            around UCAG do.
        center: subtract each map's own mean. UCAG's code subtracts one mean over all patches of a mini-batch, so
            that a map depends on its neighbours and on the batch's size; ours never does.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.LRP()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    alpha: NotNegative = 1.0
    beta: NotNegative = 0.0
    first: First = "zbox"
    start: Start = "logit"
    affine: Affine = "pass"
    center: bool = False

    def maps(self, call: Call) -> Tensor:
        walked = walk(call.model, call.images, call.target, self.rules())
        M = walked.back(walked.one_hot * amount_of(self.start, walked))[None].sum(1)
        return M - M.mean((1, 2), keepdim=True) if self.center else M


class Contrastive(Rooted):
    """M^t - f M^o: what speaks for the class, less what speaks for the others."""

    rescale: bool

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        """R^t and R^o, (B, K) each."""
        raise NotImplementedError

    def maps(self, call: Call) -> Tensor:
        walked = walk(call.model, call.images, call.target, self.rules())
        if walked.logits.shape[1] < 2:
            raise ValueError(
                f"{type(self).__name__} compares a class with the others, and this network has one: take LRP"
            )
        own, others = (walked.back(start)[None].sum(1) for start in self.starts(walked))
        if self.rescale:
            own_sum, others_sum = own.sum((1, 2), keepdim=True), others.sum((1, 2), keepdim=True)
            others = others * divide(own_sum, others_sum)
        return own - others


@dataclass(frozen=True, kw_only=True)
class ContrastiveLRP(Contrastive):
    r"""Contrastive LRP: M^t - M^o \sum M^t / \sum M^o, from R^t = S_c e_c and R^o = S_c / (K - 1) (1 - e_c).

    Rules and needs as for `LRP`. One forward, about four backwards: two walks. Gu et al., "Understanding
    Individual Decisions of CNNs via Contrastive Backpropagation", ACCV 2018. Built in chapter 11.

    Args:
        alpha: of the rule, alpha - beta = 1; 1 and 0 is z^+.
        beta: of the rule, at least 0.
        first: the rule of the layer that reads the image, "zbox" (z^B between the image's own extremes) or "zplus".
        start: "logit", as written above, turns the signs of the map of a class of negative logit; "one" puts 1 in
            the place of S_c.
        affine: what a batch norm does, "pass", or "nonzero" to drop what lands on inputs of exactly 0, as the codes
            around UCAG do.
        rescale: False only subtracts; both ways the map sums to 0 (about).

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ContrastiveLRP()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    alpha: NotNegative = 1.0
    beta: NotNegative = 0.0
    first: First = "zbox"
    start: Start = "logit"
    affine: Affine = "pass"
    rescale: bool = True

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        own, amount = walked.one_hot, amount_of(self.start, walked)
        return amount * own, amount * (1 - own) / (own.shape[1] - 1)


@dataclass(frozen=True, kw_only=True)
class SGLRP(Contrastive):
    r"""Softmax-gradient LRP: as `ContrastiveLRP`, from the derivative of the probability.

    R^t = (p_c (1 - p_c) + 1e-8) e_c and R^o_n = p_c p_n for n other than c. So a class that the network nearly took
    counts most in what is subtracted. Rules and needs as for `LRP`. One forward, about four backwards. Iwana et al.,
    "Explaining Convolutional Neural Networks using Softmax Gradient Layer-wise Relevance Propagation", ICCV workshops
    2019. Built in chapter 11.

    Args:
        alpha: of the rule, alpha - beta = 1; 1 and 0 is z^+.
        beta: of the rule, at least 0.
        first: the rule of the layer that reads the image, "zbox" (z^B between the image's own extremes) or "zplus".
        affine: what a batch norm does, "pass", or "nonzero" to drop what lands on inputs of exactly 0, as the codes
            around UCAG do.
        rescale: divide M^o's sum out, as the codes around UCAG do, whose main path however starts SGLRP as
            contrastive LRP; this one starts as written above.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.SGLRP()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    alpha: NotNegative = 1.0
    beta: NotNegative = 0.0
    first: First = "zbox"
    affine: Affine = "pass"
    rescale: bool = True

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        own, p = walked.one_hot, walked.logits.softmax(1)
        p_c = p.gather(1, walked.target[:, None])  # (B, 1)
        return (p_c * (1 - p_c) + 1e-8) * own, p_c * p * (1 - own)
