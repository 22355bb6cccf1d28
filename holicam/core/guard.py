"""What surrounds a call: one at a time for each network, and the caller's autocast kept out of our arithmetic.

Hooks, frozen parameters and new weights are set on the user's own network while a call lasts, so two
threads must not be inside the same one. Calls on networks that share a module wait for each other;
others do not. Nothing is stored on the network.

Inside torch.autocast the network may run as the caller wants it. What is made of its numbers may not:
maps would have eight bits, and whole numbers above 256 would no longer be whole. So autocast is off while
a call lasts, and `ambient` turns it on again for a forward.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import nn

from .checks import together

F = TypeVar("F", bound=Callable[..., Any])

_DEVICES = ("cpu", "cuda", "mps", "xpu")


@dataclass(frozen=True, eq=False)
class _Inside:
    """A call of one thread, and the modules, by identity, that it has to itself."""

    thread: int
    modules: frozenset[int]

    def waits_for(self) -> set[int]:
        """The other threads that are inside one of them."""
        return {
            other.thread
            for other in _running
            if other.thread != self.thread and not other.modules.isdisjoint(self.modules)
        }


_turns = threading.Condition()
_running: list[_Inside] = []
_waiting: dict[int, _Inside] = {}  # by thread


def _reach(thread: int) -> set[int]:
    """The threads that this one waits for, and those they wait for."""
    seen, new = set(), {thread}
    while new:
        seen |= new
        new = {other for one in new if one in _waiting for other in _waiting[one].waits_for()} - seen
    return seen


class _Mine(threading.local):
    """Of each thread: the networks it is inside of, and the autocast that its caller had."""

    def __init__(self) -> None:
        self.networks: list[nn.Module] = []
        self.autocast: dict[str, torch.dtype] = {}


_mine = _Mine()


def guarded(function: F) -> F:
    """A function or method whose networks, any of its arguments, are its own while it runs.

    Autocast is off, and what it asks about values (`checks`) is read at its end. It may call others of its kind, with
    the same network or a part of it.
    """

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        with turn(*(x for x in (*args, *given.values()) if isinstance(x, nn.Module))), _own_precision(), together():
            return function(*args, **given)

    return cast(F, call)


@contextmanager
def turn(*networks: nn.Module) -> Iterator[None]:
    """Wait until no other thread is inside one of these networks, and keep them out.

    Raises RuntimeError where waiting would never end: two threads that each hold what the other wants.
    """
    if all(any(net is held for held in _mine.networks) for net in networks):
        yield
        return
    inside = _Inside(threading.get_ident(), frozenset(id(module) for net in networks for module in net.modules()))
    before = _mine.networks
    try:
        with _turns:
            while inside.waits_for():
                if any(inside.thread in _reach(thread) for thread in inside.waits_for()):
                    raise RuntimeError(
                        "two threads each explain a network that the other one holds: take the "
                        "networks in the same order in both"
                    )
                _waiting[inside.thread] = inside
                try:
                    _turns.wait()
                finally:
                    del _waiting[inside.thread]
            _running.append(inside)
        _mine.networks = [*before, *networks]
        yield
    finally:
        _mine.networks = before
        with _turns:
            if inside in _running:
                _running.remove(inside)
            _turns.notify_all()


@contextmanager
def _own_precision() -> Iterator[None]:
    found = {kind: torch.get_autocast_dtype(kind) for kind in _DEVICES if torch.is_autocast_enabled(kind)}
    if not found:
        yield
        return
    before, _mine.autocast = _mine.autocast, found
    try:
        with ExitStack() as off:
            for kind in found:
                off.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        _mine.autocast = before


@contextmanager
def ambient() -> Iterator[None]:
    """Autocast as the caller of the outermost call had it.

    Without its cache: that would keep casts of weights which a sanity check has changed since, and hand
    casts made without a graph to the caller's next training step.
    """
    with ExitStack() as on:
        for kind, dtype in _mine.autocast.items():
            on.enter_context(torch.autocast(kind, dtype, cache_enabled=False))
        yield


def _after_fork() -> None:
    """A child process starts without its parent's other threads, which would never leave."""
    global _turns
    _turns, _running[:] = threading.Condition(), [one for one in _running if one.thread == threading.get_ident()]
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
