"""What depends on the image, told by the memory that holds it.

Anything else is a constant of the network and takes no relevance: parameters, buffers, numbers, plain
tensors, and whatever is made of these alone. Gradients would not tell: below the layers asked for
nothing is remembered, and what a network computes without gradients depends on the image all the
same. So every memory that an operation fills from the image is noted, and views share the note of
their memory. Where constants stand beside other values in one memory (a map of coordinates behind
the colours, a padded border), flags tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves, tree_map

from .names import JOINS, MOVES, SHAPED, WINNERS

Flags = Tensor | None  # bool, shaped as a tensor; None: all of it depends on the image


@dataclass(eq=False)
class Note:
    """What is known of one piece of memory.

    raw: the image itself, at most shifted, scaled and moved by constants. tracked: whether a
    gradient goes back from here. flags: of every number in the memory, (n,).
    """

    raw: bool
    tracked: bool
    flags: Flags = None


class Dependence:
    """The notes of one forward pass. They hold no memory alive, and one that is freed is forgotten."""

    def __init__(self, image: Tensor) -> None:
        self._notes: dict[StorageWeakRef, Note] = {}
        self.add(image, raw=True)

    def note(self, x: object) -> Note | None:
        """None for a constant."""
        return self._notes.get(_memory(x)) if isinstance(x, Tensor) and x.layout == torch.strided else None

    def raw(self, x: object) -> bool:
        """Whether it is the image itself, see `Note`."""
        note = self.note(x)
        return note is not None and note.raw

    def __contains__(self, x: object) -> bool:
        return self.note(x) is not None

    def reads(self, name: str, args: tuple, kwargs: dict) -> list[Tensor]:
        """The arguments that depend on the image and whose values an operation reads."""
        if name.endswith("_like") or name.startswith("new_"):
            args = args[1:]
        elif name in SHAPED:
            args, kwargs = args[:1], {}
        return [x for x in tree_leaves((args, kwargs)) if x in self]

    def behind(self, x: Tensor) -> bool:
        """Whether x's gradient goes back to anything that is noted."""
        nodes, done = [] if x.grad_fn is None else [x.grad_fn], set()
        while nodes:
            node = nodes.pop()
            if getattr(node, "variable", None) in self:
                return True
            nodes += [n for n, _ in node.next_functions if n is not None and n not in done]
            done.update(nodes)
        return False

    def flags(self, x: Tensor) -> Flags:
        note = self.note(x)
        return None if note is None or note.flags is None else _placed(note.flags, x)

    def add(self, out: Tensor, raw: bool, flags: Flags = None) -> None:
        """Note a new result; flags: which of its numbers depend on the image."""
        note = Note(raw, out.requires_grad)
        if flags is not None and not bool(flags.all()):
            note.flags = _every(out, True)
            _placed(note.flags, out).copy_(flags)
        self._notes[_memory(out)] = note

    def follow(
        self, func: Callable, name: str, args: tuple, kwargs: dict, out: object, reads: list[Tensor], in_place: bool
    ) -> None:
        """Note what an operation that moves numbers, or that nobody tracks, has made of `reads`."""
        raw = name in MOVES and all(self.raw(x) for x in reads)
        if in_place and name in ("setitem", "copy", "masked_fill"):
            where = args[1] if name != "copy" else ...
            value = args[1] if name == "copy" else kwargs.get("value", args[-1])
            flags = self.flags(value) if isinstance(value, Tensor) else None
            self.change(args[0], where, (value in self) if flags is None else flags, raw)
        elif in_place and name not in MOVES:
            self.change(args[0], ..., True, False)
        else:
            results = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
            each = self.moved(func, name, args, kwargs, results) if name in MOVES else [None] * len(results)
            for x, free in zip(results, each, strict=True):
                if note := self.note(x):  # a view
                    note.tracked = note.tracked or x.requires_grad
                else:
                    self.add(x, raw, free)

    def change(self, memory: Tensor, where: Any, flags: Tensor | bool, raw: bool) -> None:
        """Numbers at memory[where] are others now; flags: which of them depend on the image."""
        note = self.note(memory)
        if note is None:
            note = self._notes[_memory(memory)] = Note(True, False, _every(memory, False))
        note.raw, note.tracked = note.raw and raw, note.tracked or memory.requires_grad
        if note.flags is None and flags is True:
            return
        note.flags = _every(memory, True) if note.flags is None else note.flags
        _placed(note.flags, memory)[where] = flags
        if bool(note.flags.all()):
            note.flags = None

    def moved(self, func: Callable, name: str, args: tuple, kwargs: dict, results: list[Tensor]) -> list[Flags]:
        """The flags of each result, from those of the arguments that were moved there."""
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.is_floating_point()]
        whole = all(self.flags(x) is None for x in given if x in self)
        if not results or whole and not (name in JOINS and any(x in self for x in given)):
            return [None] * len(results)
        if name in WINNERS:
            x = args[0] if args else kwargs["input"]
            flags = self.flags(x)
            low = x.detach() if flags is None else x.detach().masked_fill(~flags, -torch.inf)
            best = tree_leaves(func(low, *args[1:], **{k: v for k, v in kwargs.items() if k != "input"}))
            return [b >= r if r.is_floating_point() else None for b, r in zip(best, results, strict=True)]
        if name == "pad" and (len(args) > 3 or "value" in kwargs):
            args, kwargs = args[:3], {k: v for k, v in kwargs.items() if k != "value"}
        if name in ("where", "masked_fill"):  # numbers are values here
            args = (*args[:1], *(0 if isinstance(x, (int, float)) else x for x in args[1:]))
            kwargs = {k: 0 if isinstance(x, (int, float)) else x for k, x in kwargs.items()}
        found = tree_leaves(func(*tree_map(self._amount, args), **tree_map(self._amount, kwargs)))
        return [f != 0 if f.is_floating_point() else None for f in found]

    def _amount(self, x: object) -> object:
        """1 where a float tensor depends on the image, 0 where it is constant."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        flags = self.flags(x)
        return torch.full_like(x, float(x in self), requires_grad=False) if flags is None else flags.to(x.dtype)


def _memory(x: Tensor) -> StorageWeakRef:
    return StorageWeakRef(x.untyped_storage())


def _every(x: Tensor, value: bool) -> Tensor:
    """A flag for each number in x's memory."""
    return torch.full((x.untyped_storage().nbytes() // x.element_size(),), value, device=x.device)


def _placed(flags: Tensor, x: Tensor) -> Tensor:
    """Flags of a whole memory, seen as x sees it."""
    return flags.as_strided(x.shape, x.stride(), x.storage_offset())
