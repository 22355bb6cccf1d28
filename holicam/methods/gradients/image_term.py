"""The image as a network's layers read it, where the network itself normalises it first.

What is added to a pixel before any layer reads it belongs to that pixel: sum D X over the image then
leaves a constant out, and the sum of what the layers read times its gradient does not.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from ...core.ops import at_least_float32
from ..relevance.arithmetic import MADE
from ..relevance.depends import Dependence
from ..relevance.names import DIVIDE, NEGATE, PAIRS, plain, writes

# Moves that leave a pixel where it is, or put channels together again that were taken apart.
KEEP = {
    "cat",
    "chunk",
    "clone",
    "concat",
    "concatenate",
    "contiguous",
    "copy",
    "double",
    "float",
    "get",
    "getitem",
    "requires_grad",
    "select",
    "setitem",
    "split",
    "squeeze",
    "stack",
    "to",
    "type_as",
    "unbind",
    "unsqueeze",
}


class AsRead(TorchFunctionMode):
    r"""While it lasts around one forward, notes every place where a layer reads the image.

    After the backward `term` is \sum X' dS/dX' over these places, X' (B, C, H, W) being the image as it is
    read there; None where nothing was added on the way, or where X' is not of the image's height and width.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: Dependence | None = None
        self.batch, self.shifted, self._misfit = 0, False, False
        self._term: Tensor | None = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        called, kwargs = getattr(func, "__name__", ""), kwargs or {}
        name = plain(called)
        if self.seen is None:  # the first operation on anything that has a gradient is on the image
            image = next((x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.requires_grad), None)
            if image is None:
                return func(*args, **kwargs)
            self.seen, self.batch, self._size = Dependence(image), len(image), image.shape[-2:]
        reads = self.seen.reads(name, args, kwargs)
        raw = [x for x in reads if self.seen.raw(x)]
        in_place = writes(called)
        if not raw:
            out = func(*args, **kwargs)
            if reads:
                self.seen.follow(func, name, args, kwargs, out, reads, in_place)
            return out
        if len(raw) == len(reads) and name in KEEP:
            out = func(*args, **kwargs)
            self.seen.follow(func, name, args, kwargs, out, reads, in_place)
            return out
        if _affine(name, args, kwargs, reads):
            self.shifted = True
            out = func(*args, **kwargs)
            if in_place:
                self.seen.change(args[0], ..., True, True)
            else:
                self.seen.add(out, raw=True)
            return out
        return self._read(self.seen, func, name, args, kwargs, raw, in_place)

    def _read(self, seen: Dependence, func, name, args, kwargs, raw, in_place):
        """An operation that is no mere shift: its gradient at the image, and no other's, is wanted."""
        values = {id(x): (x.view_as(x), x.detach().clone()) for x in raw if x.requires_grad}
        args, kwargs = (tree_map(lambda x: values[id(x)][0] if id(x) in values else x, part) for part in (args, kwargs))
        out = func(*args, **kwargs)
        seen.follow(func, name, args, kwargs, out, raw, in_place)
        for x in tree_leaves(out):
            if isinstance(x, Tensor) and (note := seen.note(x)) and id(x) not in values:
                note.raw = False
        if torch.is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in tree_leaves(out)):
            for alias, value in values.values():
                alias.register_hook(lambda G, value=value: self._take(value, G))
        return out

    def _take(self, value: Tensor, G: Tensor) -> None:
        z = at_least_float32(value) * at_least_float32(G)
        fits = z.dim() == 4 and z.shape[-2:] == self._size and (self._term is None or z.shape == self._term.shape)
        self._misfit = self._misfit or not fits
        if fits:
            self._term = z if self._term is None else self._term + z

    @property
    def term(self) -> Tensor | None:
        return self._term if self.shifted and not self._misfit else None


def _affine(name: str, args: tuple, kwargs: dict, reads: list[Tensor]) -> bool:
    """Whether the result is one argument, shifted and scaled by constants."""
    if len(reads) != 1 or name not in PAIRS | NEGATE | MADE.keys():
        return False
    below = args[:1] if name.startswith("r") else (*args[1:], kwargs.get("other"))
    if name == "addcdiv":
        below = (*args[2:3], kwargs.get("tensor2"))
    return name not in DIVIDE | {"addcdiv"} or all(x is not reads[0] for x in below)
