"""One dry pass of a network: every tensor that its modules give, and through which of them everything passes.

Autograd writes down which tensor was made of which. A tensor through which everything passes is one that no
path from the logits back to the image goes round. Walking that graph from the logits, in an order in which a
tensor comes after all that was made of it, these are the places where no other path is open. So one forward
with a graph answers for all tensors at once, and no backward is run.

What is asked is about modules, since only a module's output can be read: the shortcut of a block may be an
`nn.Identity`, which gives the tensor that the other branch reads as well. So the network goes on with a copy of
each module's output, and a copy has its own place in the graph.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .forms import eager
from .hooks import held
from .layers import innermost

# Activations with negative values, even where an image happens to show none.
_SIGNED = (nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish, nn.ELU, nn.CELU, nn.SELU, nn.LeakyReLU, nn.PReLU, nn.Tanh)


class NoLogitsError(ValueError):
    """A network whose output has no logits to go back from, whatever the image."""


@dataclass(frozen=True, eq=False)
class Passed:
    """A tensor through which everything passes."""

    names: tuple[str, ...]  # of the modules that give it, innermost first; those that run once
    modules: tuple[nn.Module, ...]  # the same modules
    shape: tuple[int, ...]
    signed: bool  # whether it may be negative: it was, or held nothing but zeros, or NaN, or its activation may be


@dataclass(eq=False)
class _Event:
    """The output of a module."""

    name: str
    module: nn.Module
    node: Any  # of autograd's graph: the copy with which the network goes on
    made_of: Any  # the same of the output itself, which is another module's copy where that gave it
    shape: tuple[int, ...]
    low: Tensor
    high: Tensor


def dry_pass(model: nn.Module, image: Tensor) -> list[Passed]:
    """The tensors through which everything passes on the way from the image (1, C, H, W), in the order they are made.

    The network, its gradients and torch's random numbers are left as they were. Raises what the network raises, and
    NoLogitsError where its output has no graph that leads back to the image.
    """
    runs: Counter[str] = Counter()
    events: list[_Event] = []
    with torch.inference_mode(False), torch.enable_grad(), _same_random_numbers(image):
        image = image.detach().clone().requires_grad_()
        # No backward will ask for what the graph would keep, so it keeps nothing.
        nothing = torch.empty(0)
        forgetful = torch.autograd.graph.saved_tensors_hooks(lambda _: nothing, lambda _: nothing)
        with _listening(innermost(model), runs, events), forgetful, eager():
            output = model(image.clone())
        roots = [t for t in tensors_in(output) if t.requires_grad and t.grad_fn is not None]
        scores = _scores(output, roots)
        if not scores:
            raise NoLogitsError(
                f"{type(model).__name__} gives no logits (B, K) whose graph leads back to the image, so its stages "
                "cannot be found: name the layers with layers="
            )
        # Where several may be meant, what everything passes on the way to all of them.
        end = scores[0] if len(scores) == 1 else sum(score.sum() for score in scores)
        cuts = _cuts((end.grad_fn, end.output_nr), image)  # type: ignore[union-attr]
        return _passed(cuts, runs, events)


def _scores(output: object, roots: Sequence[Tensor]) -> list[Tensor]:
    """Those of the roots that may be logits: what is called so, else all of (B, K), else what is left of (B, 1)."""
    called = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    named = [root for root in roots if root is called]
    return named or [root for root in roots if root.dim() == 2] or [root for root in roots if root.dim() < 2]


def tensors_in(output: object) -> Iterator[Tensor]:
    """All tensors in what a network returns, in order."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from tensors_in(part)
    elif isinstance(output, Sequence) and not isinstance(output, (str, bytes)):
        for part in output:
            yield from tensors_in(part)
    elif is_dataclass(output):
        for field in fields(output):
            yield from tensors_in(getattr(output, field.name))
    elif isinstance(logits := getattr(output, "logits", None), Tensor):
        yield logits


@contextmanager
def _same_random_numbers(image: Tensor) -> Iterator[None]:
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


@contextmanager
def _listening(model: nn.Module, runs: Counter[str], events: list[_Event]) -> Iterator[None]:
    """Fills runs and events while it lasts. Forwards of other threads are nobody's business."""
    thread = threading.get_ident()
    copies: set[Any] = set()

    def hook(name: str, module: nn.Module, inputs: tuple, output: object) -> Tensor | None:
        if threading.get_ident() != thread:
            return None
        runs[name] += 1
        if not isinstance(output, Tensor) or output.grad_fn is None or not output.numel():
            return None
        if not output.is_floating_point():  # complex numbers, which have no signs
            return None
        if output.grad_fn in copies and any(given is output for given in inputs):
            return None  # it hands on what has a name already
        low, high = torch.aminmax(output.detach())
        copy = output.clone()
        copies.add(copy.grad_fn)
        events.append(_Event(name, module, copy.grad_fn, output.grad_fn, tuple(output.shape), low, high))
        return copy

    handles = [
        module.register_forward_hook(lambda *given, name=name: hook(name, *given))
        for name, module in model.named_modules()
        if name
    ]
    with held(handles):
        yield


def _cuts(root: tuple[Any, int], image: Tensor) -> dict[Any, int]:
    """{node: which of its outputs}, of the tensors that no path from the root to the image goes round."""
    after: list[Any] = []  # every node behind those that it was made of
    seen, stack = {root[0]}, [(root[0], iter(root[0].next_functions))]
    while stack:
        node, below = stack[-1]
        for child, _ in below:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append((child, iter(child.next_functions)))
                break
        else:
            after.append(stack.pop()[0])
    alive: set[Any] = set()  # what leads to the image; weights do not
    for node in after:
        if getattr(node, "variable", None) is image or any(child in alive for child, _ in node.next_functions):
            alive.add(node)
    found: dict[Any, int] = {}
    open_paths: dict[Any, set[int]] = {root[0]: {root[1]}} if root[0] in alive else {}
    for node in reversed(after):
        if node not in alive:
            continue
        outputs = open_paths.pop(node)
        if not open_paths and len(outputs) == 1:
            found[node] = next(iter(outputs))
        for child, number in node.next_functions:
            if child in alive:
                open_paths.setdefault(child, set()).add(number)
    return found


def _passed(cuts: Mapping[Any, int], runs: Counter[str], events: list[_Event]) -> list[Passed]:
    """One for each tensor, with all the modules that give it."""
    first: dict[Any, Any] = {}  # {a copy: the first copy of the same tensor}
    groups: dict[Any, list[_Event]] = {}
    for event in events:
        same = first[event.node] = first.get(event.made_of, event.node)
        if event.node in cuts and runs[event.name] == 1:
            groups.setdefault(same, []).append(event)
    made = []
    for group, (low, high) in zip(groups.values(), _bounds([group[-1] for group in groups.values()]), strict=True):
        made.append(
            Passed(
                tuple(event.name for event in group),
                tuple(event.module for event in group),
                group[-1].shape,
                not (low >= 0 and 0 < high < float("inf")) or any(isinstance(e.module, _SIGNED) for e in group),
            )
        )
    return made


def _bounds(events: Sequence[_Event]) -> list[list[float]]:
    """[lowest, highest] of each; the device is waited for once."""
    if not events:
        return []
    home = events[0].low.device
    return torch.stack([torch.stack([e.low, e.high]).to(home).float() for e in events]).tolist()
