"""Where a network runs: a device by name, tried before anything is put there."""

from __future__ import annotations

import torch


def find_device(wanted: str = "", called: str = "the device", *, empty: bool = False) -> torch.device:
    """The device of that name; without one, CUDA where there is a GPU, and else the CPU.

    Args:
        called: how a user speaks of it, such as "--device".
        empty: whether a device without values ("meta") will do.

    Raises:
        ValueError: PyTorch has no such device here, or it cannot compute.
    """
    wanted = wanted or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tried = torch.empty(1, device=wanted)
        if not empty:
            tried.fill_(1.0).item()
        return tried.device if ":" in wanted else torch.device(wanted)
    except Exception as error:  # each kind of device has its own way of not being there
        said = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
        said = "no kind of device has that name" if said.startswith("Expected one of") else said
        raise ValueError(
            f"{called} is {wanted!r}, and PyTorch has no such device here that can compute; it has "
            f"{', '.join(_devices())} ({said[:200]})."
        ) from None


def _devices() -> list[str]:
    have = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()) if torch.cuda.is_available())]
    return have + (["mps"] if torch.backends.mps.is_available() else [])
