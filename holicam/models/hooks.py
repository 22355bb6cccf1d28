"""Hooks that are gone when they have served, and that leave the forwards of other threads alone."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle


@contextmanager
def held(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Hooks that a network has while the block runs, whatever comes of it."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def of_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook, for forwards of the thread that asks now; those of a thread of the user's pass it by."""
    thread = threading.get_ident()

    @functools.wraps(hook)
    def call(*given: Any) -> Any:
        # On a GPU autograd computes checkpointed blocks again in a thread of its own.
        ours = threading.get_ident() == thread or torch._C._current_graph_task_id() != -1
        return hook(*given) if ours else None

    return call
