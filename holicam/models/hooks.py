"""Hooks that are gone when they have served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch.utils.hooks import RemovableHandle


@contextmanager
def held(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Hooks that a network has while the block runs, whatever comes of it."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
