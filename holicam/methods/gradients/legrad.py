r"""LeGrad: the positive gradients of a transformer's attention, block by block.

    M = 1/L sum_l 1/(H N) sum_h sum_i ReLU(ds_l / dP_{l,h,i,j}),    j the patches

P_l are the attention probabilities of block l, H heads of N queries i. s_l is the score that the network's own end,
its last norm and head, gives the tokens of block l in place of those of the last block. Bousselham et al., "LeGrad:
An Explainability Method for Vision Transformers via Feature Formation Sensitivity", ICCV 2025 (arXiv:2404.03214).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ...core.attention import Attention, Block, attended
from ...core.capture import NOT_FINITE
from ...core.checks import expect_finite
from ...core.explainer import Call, InputExplainer
from ...core.graph import all_zero, pull_back, warn_zero
from ...core.network import forward, frozen
from ...core.ops import resolve_target, select_score
from ...core.options import Score, among
from ...core.outputs import logits_of, remark
from ...core.replaced import replaced
from ...core.targets import Resolved, targets_of
from ...core.tokens import any_grid, for_images


@dataclass(frozen=True, kw_only=True)
class LeGrad(InputExplainer):
    r"""LeGrad: M = mean_l mean_{h,i} ReLU(ds_l / dP_l), the attention P of all blocks l of a transformer.

    Two forwards and one backward for any number of blocks; with score_of="network", one forward. The paper
    stretches the map to [0, 1]; this one is raw. Tokens before the patches are left out, by `reshape` or, without
    it, as many as the grid leaves over. It reads the network's `torch.nn.MultiheadAttention` modules and refuses
    networks without. Bousselham et al., "LeGrad", ICCV 2025.

    Args:
        score_of: whose score is differentiated, that of each "block", its tokens read by the network's end, as in
            the paper; or that of the "network", the same for all blocks.
        score: "logit", "prob" or "sigmoid", see `ops.select_score`.

    Example:
        >>> import torch, torchvision, holicam as hc
        >>> with torch.random.fork_rng():
        ...     vit = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32).eval()
        >>> hc.LeGrad()(vit, hc.toyland.batch(1, split="test", size=32).images, target=3).shape
        torch.Size([1, 32, 32])
    """

    score_of: Annotated[str, among(("block", "network"))] = "block"
    score: Score = "logit"

    def maps(self, call: Call) -> Tensor:
        with torch.enable_grad(), frozen(call.model):
            x = call.images.clone().requires_grad_()
            with attended(call.model) as (found, blocks):
                logits = logits_of(forward(call.model, x), len(x), call.target)
            if not found:
                raise ValueError(
                    f"LeGrad reads the attention of a transformer, and no torch.nn.MultiheadAttention ran in this "
                    f"{type(call.model).__name__}: take a method of gradients or of layers, such as Grad-CAM"
                )
            if isinstance(logits, Tensor):
                expect_finite(logits, NOT_FINITE.format("logits"))
            remark(call.model, logits, self.score)
            target = resolve_target(logits, call.target)
            if self.score_of == "network":
                s = select_score(logits, target, self.score)
                G = list(pull_back(s.sum(), {f"attention {n}": one.out for n, one in enumerate(found)}).values())
            else:
                G = self._of_blocks(call, target, found, blocks)
        parts, nothing = [], []
        for one, g in zip(found, G, strict=True):
            P = one.gradient(g)  # (B, heads, N, N)
            nothing.append(all_zero(P))
            parts.append(P.relu().mean((1, 2)))
        warn_zero(torch.stack(nothing).all(), "attention")
        E = torch.stack(parts).mean(0)  # (B, N)
        size = (call.images.shape[2], call.images.shape[3])
        return for_images(call.reshape or any_grid(E.shape[1], size), size)(E[:, :, None])[:, 0]

    def _of_blocks(
        self, call: Call, target: Resolved, found: list[Attention], blocks: dict[int, Block]
    ) -> list[Tensor]:
        """d s_l / d what the attention of block l returns."""
        each = [blocks[n] for n in range(len(found)) if n in blocks]
        if len({b.module for b in each}) < len(found) or len({b.tokens.shape for b in each}) > 1:
            raise ValueError(
                "LeGrad hands the tokens of each block to the end of the network, and the attention of this "
                f"{type(call.model).__name__} does not lie in blocks of one shape, each with one of its own: "
                'give score_of="network"'
            )
        axis = 0 if found[0].module.batch_first else 1
        Z = torch.cat([block.tokens.detach() for block in each], axis).requires_grad_()
        with replaced(call.model, each[-1].module, lambda _: Z.clone()):
            logits = logits_of(forward(call.model, call.images), Z.shape[axis], call.target)
        owner = torch.arange(len(call.images), device=Z.device).repeat(len(each))
        s = select_score(logits, targets_of(target, owner), self.score)
        expect_finite(s, NOT_FINITE.format("scores"))
        starts = pull_back(s.sum(), {"attention": Z})["attention"].chunk(len(each), axis)
        return [
            pull_back(block.tokens, {"attention": one.out}, start, keep=True)["attention"]
            for block, one, start in zip(each, found, starts, strict=True)
        ]
