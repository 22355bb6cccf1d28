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
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from .checks import together

F = TypeVar("F", bound=Callable[..., Any])

_DEVICES = ("cpu", "cuda", "mps", "xpu")
_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_REGISTRY = threading.Lock()


class _Mine(threading.local):
    """Of each thread: the networks it is inside of, and the autocast that its caller had."""

    def __init__(self) -> None:
        self.networks: list[nn.Module] = []
        self.autocast: dict[str, torch.dtype] = {}


_mine = _Mine()


def guarded(function: F) -> F:
    """A function or method whose networks, any of its arguments, are its own while it runs; autocast is off, and
    what it asks about values (`checks`) is read at its end.

    It may call others of its kind, with the same network or a part of it.
    """
    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        with turn(*(x for x in (*args, *given.values()) if isinstance(x, nn.Module))), _own_precision(), together():
            return function(*args, **given)

    return call


@contextmanager
def turn(*networks: nn.Module) -> Iterator[None]:
    """Wait until no other thread is inside one of these networks, and keep them out."""
    if all(any(net is held for held in _mine.networks) for net in networks):
        yield
        return
    modules = {id(m): m for net in networks for m in net.modules()}
    with _REGISTRY:
        locks = [_LOCKS.setdefault(modules[key], threading.RLock()) for key in sorted(modules)]
    before = _mine.networks
    with ExitStack() as held:
        for lock in locks:  # in one order for all threads, so that no two wait for each other
            held.enter_context(lock)
        _mine.networks = [*before, *networks]
        try:
            yield
        finally:
            _mine.networks = before


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
    """A child process starts without its parent's other threads, which would never unlock."""
    global _REGISTRY
    _REGISTRY = threading.Lock()
    _LOCKS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
