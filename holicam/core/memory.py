"""How running out of memory looks: each kind of device says it in its own way."""

from __future__ import annotations

WORDS = ("allocate memory", "not enough memory", "out of memory")  # on a CPU they are plain RuntimeErrors


def no_memory(error: BaseException) -> bool:
    """True where memory ran out, on whatever device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
