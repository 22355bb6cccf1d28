"""LRP and its two contrastive starts: the same walk to the image, begun with other numbers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ...core.input_gradients import InputExplainer
from ...core.ops import Target, one_of
from ...core.options import check_flag, check_number
from .rules import Rules, alpha_beta, divide, nonzero, passes, zbox, zplus
from .walk import Walk, walk

AFFINE = {"pass": passes, "nonzero": nonzero}
STARTS = ("logit", "one")


def amount_of(explainer: object, walked: Walk) -> Tensor | float:
    """What a walk starts with: S_c (B, 1), or 1."""
    return walked.score if explainer.start == "logit" else 1.0


@dataclass(frozen=True)
class LRP(InputExplainer):
    r"""R_in = u \odot L_V^T (R \oslash L_V(u)) from the logit down to the image, summed over colours.

    Convolutions and linear layers share by the z^+ rule (alpha - beta = 1; 1 and 0 is z^+), the
    layer that reads the image by z^B, sums and average poolings in proportion; batch norms, ReLUs
    and dropout pass relevance on; a max-pooling gives it to the winner; biases get none. So the map
    sums to the start, S_c, but for relevance that reaches a layer whose inputs are all 0.

    alpha, beta: of the rule. first: "zbox" (z^B between the image's own extremes), or "zplus".
    start: "logit", S_c, or "one", which does not flip the map when S_c < 0. affine: what a batch
    norm does, "pass", or "nonzero" to drop what lands on inputs of exactly 0, as the codes around
    UCAG do. center: subtract each map's own mean. UCAG's code subtracts one mean over all patches of a
    mini-batch, so that a map depends on its neighbours and on the batch's size; ours never does.

    Needs convolutions, linear layers, batch norms, ReLUs, poolings, sums and differences. What does not
    depend on the image is a constant and gets none, so a network may normalise its images itself. What
    the network detaches takes its share, and that ends there. One forward, about two backwards. Bach et
    al., PLOS ONE 2015; z^B: Montavon et al., Pattern Recognition 2017; UCAG eq. 3. Built in chapter 11.
    """

    alpha: float = 1.0
    beta: float = 0.0
    first: str = "zbox"
    start: str = "logit"
    affine: str = "pass"
    center: bool = False

    def __post_init__(self) -> None:
        check_rules(self)
        one_of("start", self.start, STARTS)
        check_flag("center", self.center)

    def explain(self, model: nn.Module, images: Tensor, target: Target, intermediate: bool) -> Tensor:
        walked = walk(model, images, target, rules_of(self))
        M = walked.back(walked.one_hot * amount_of(self, walked))[None].sum(1)
        return M - M.mean((1, 2), keepdim=True) if self.center else M


def check_rules(explainer: object) -> None:
    """The fields that LRP and its contrastive forms share."""
    check_number("alpha", explainer.alpha)
    check_number("beta", explainer.beta)
    if abs(explainer.alpha - explainer.beta - 1) > 1e-6:
        raise ValueError(
            "alpha - beta must be 1, or relevance grows or shrinks at every layer; got "
            f"{explainer.alpha} - {explainer.beta}"
        )
    one_of("first", explainer.first, ("zbox", "zplus"))
    one_of("affine", explainer.affine, AFFINE)


def rules_of(explainer: object) -> Rules:
    """The rules that these fields name."""
    linear = alpha_beta(explainer.alpha, explainer.beta) if explainer.beta else zplus
    return Rules(linear, zbox if explainer.first == "zbox" else linear, AFFINE[explainer.affine])


class Contrastive(InputExplainer):
    """M^t - f M^o: what speaks for the class, less what speaks for the others."""

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        """R^t and R^o, (B, K) each."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        check_rules(self)
        check_flag("rescale", self.rescale)

    def explain(self, model: nn.Module, images: Tensor, target: Target, intermediate: bool) -> Tensor:
        walked = walk(model, images, target, rules_of(self))
        if walked.logits.shape[1] < 2:
            raise ValueError(
                f"{type(self).__name__} compares a class with the others, and this network has one: take LRP"
            )
        own, others = (walked.back(start)[None].sum(1) for start in self.starts(walked))
        if self.rescale:
            own_sum, others_sum = own.sum((1, 2), keepdim=True), others.sum((1, 2), keepdim=True)
            others = others * divide(own_sum, others_sum)
        return own - others


@dataclass(frozen=True)
class ContrastiveLRP(Contrastive):
    r"""Contrastive LRP: M^t - M^o \sum M^t / \sum M^o, from R^t = S_c e_c and
    R^o = S_c / (K - 1) (1 - e_c).

    start: "one" puts 1 in the place of S_c. With "logit", as written above, a class of negative logit
    gets its map with the signs turned. rescale: False only subtracts; both ways the map sums to 0
    (about). The other fields, rules and needs as for `LRP`. One forward, about four backwards: two
    walks. Gu et al., "Understanding Individual Decisions of CNNs via Contrastive Backpropagation",
    ACCV 2018. Built in chapter 11.
    """

    alpha: float = 1.0
    beta: float = 0.0
    first: str = "zbox"
    start: str = "logit"
    affine: str = "pass"
    rescale: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("start", self.start, STARTS)

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        own, amount = walked.one_hot, amount_of(self, walked)
        return amount * own, amount * (1 - own) / (own.shape[1] - 1)


@dataclass(frozen=True)
class SGLRP(Contrastive):
    r"""Softmax-gradient LRP: as `ContrastiveLRP`, from the derivative of the probability,
    R^t = (p_c (1 - p_c) + 1e-8) e_c and R^o_n = p_c p_n for n other than c.

    So a class that the network nearly took counts most in what is subtracted. rescale: the rescaling
    is in the codes around UCAG, whose main path however starts SGLRP as contrastive LRP; this one
    starts as written above. Iwana et al., ICCV workshops 2019. Built in chapter 11.
    """

    alpha: float = 1.0
    beta: float = 0.0
    first: str = "zbox"
    affine: str = "pass"
    rescale: bool = True

    def starts(self, walked: Walk) -> tuple[Tensor, Tensor]:
        own, p = walked.one_hot, walked.logits.softmax(1)
        p_c = p.gather(1, walked.target[:, None])  # (B, 1)
        return (p_c * (1 - p_c) + 1e-8) * own, p_c * p * (1 - own)
