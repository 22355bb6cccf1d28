"""The gradient of a class's score in every attention of a transformer, block by block or of the whole network."""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import Attention, Block, attended
from .capture import NOT_FINITE
from .checks import expect_finite
from .explainer import Call
from .graph import pull_back
from .network import forward, frozen
from .ops import resolve_target, select_score
from .outputs import logits_of, remark
from .replaced import replaced
from .targets import Resolved, targets_of


def attention_gradients(call: Call, score: str, score_of: str, who: str) -> list[tuple[Attention, Tensor]]:
    """Each attention of the network, in the order they run, and dS/d what it returns; `Attention.gradient` goes on.

    score: "logit", "prob" or "sigmoid". score_of: "network" is one S for all; of "block", S_l is the score that the
    network's own end gives the tokens of block l in place of those of the last. who: the method, for messages. Two
    forwards and one backward for any number of blocks; of the network's score, one forward. Raises ValueError where no
    `torch.nn.MultiheadAttention` runs, or where attentions do not lie in blocks.
    """
    with torch.enable_grad(), frozen(call.model):
        x = call.images.clone().requires_grad_()
        with attended(call.model) as (found, blocks):
            logits = logits_of(forward(call.model, x), len(x), call.target)
        if not found:
            raise ValueError(
                f"{who} reads the attention of a transformer, and no torch.nn.MultiheadAttention ran in this "
                f"{type(call.model).__name__}: take a method of gradients or of layers, such as Grad-CAM"
            )
        if isinstance(logits, Tensor):
            expect_finite(logits, NOT_FINITE.format("logits"))
        remark(call.model, logits, score)
        target = resolve_target(logits, call.target)
        if score_of == "network":
            s = select_score(logits, target, score)
            G = list(pull_back(s.sum(), {f"attention {n}": one.out for n, one in enumerate(found)}).values())
        else:
            G = _of_blocks(call, target, score, found, blocks, who)
    return list(zip(found, G, strict=True))


def _of_blocks(
    call: Call, target: Resolved, score: str, found: list[Attention], blocks: dict[int, Block], who: str
) -> list[Tensor]:
    """d s_l / d what the attention of block l returns."""
    each = [blocks[n] for n in range(len(found)) if n in blocks]
    if len({b.module for b in each}) < len(found) or len({b.tokens.shape for b in each}) > 1:
        raise ValueError(
            f"{who} hands the tokens of each block to the end of the network, and the attention of this "
            f"{type(call.model).__name__} does not lie in blocks of one shape, each with one of its own: "
            'give score_of="network"'
        )
    axis = 0 if found[0].module.batch_first else 1
    Z = torch.cat([block.tokens.detach() for block in each], axis).requires_grad_()
    with replaced(call.model, each[-1].module, lambda _: Z.clone()):
        logits = logits_of(forward(call.model, call.images), Z.shape[axis], call.target)
    owner = torch.arange(len(call.images), device=Z.device).repeat(len(each))
    s = select_score(logits, targets_of(target, owner), score)
    expect_finite(s, NOT_FINITE.format("scores"))
    starts = pull_back(s.sum(), {"attention": Z})["attention"].chunk(len(each), axis)
    return [
        pull_back(block.tokens, {"attention": one.out}, start, keep=True)["attention"]
        for block, one, start in zip(each, found, starts, strict=True)
    ]
