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

from ...core.attention_gradients import attention_gradients
from ...core.explainer import Call, InputExplainer
from ...core.graph import warn_zero, zero_images
from ...core.layout import Layouts
from ...core.options import Score, among
from ...core.tokens import any_grid


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
        parts, nothing = [], []
        for attention, G in attention_gradients(call, self.score, self.score_of, "LeGrad"):
            P = attention.gradient(G)  # (B, heads, N, N)
            nothing.append(zero_images(P))
            parts.append(P.relu().mean((1, 2)))
        warn_zero(torch.stack(nothing).all(0), "attention")
        E = torch.stack(parts).mean(0)  # (B, N)
        size = (call.images.shape[2], call.images.shape[3])
        reshape = any_grid(E.shape[1], size) if call.reshape is None else call.reshape
        layouts = Layouts(call.model, {}, {}, call.images, reshape)
        return layouts.maps({"attention": E[:, :, None]})["attention"][:, 0]
