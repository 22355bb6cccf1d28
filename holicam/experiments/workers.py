"""Which share of a run is this process's, and where it computes."""

from __future__ import annotations

import os

import torch

from .config import ConfigError

LAUNCHERS = (("RANK", "WORLD_SIZE"), ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"))


def shard() -> tuple[int, int]:
    """(rank, number of processes) as torchrun or a Slurm array gave them, else (0, 1). Raises ConfigError."""
    for rank, world in LAUNCHERS:
        if rank in os.environ and world in os.environ:
            found, first, step = _number(rank), 0, 1
            if rank.startswith("SLURM"):
                first, step = _number("SLURM_ARRAY_TASK_MIN", 0), max(1, _number("SLURM_ARRAY_TASK_STEP", 1))
            return checked((found - first) // step, _number(world), f"{rank} and {world}")
    return 0, 1


def parse_shard(said: str) -> tuple[int, int]:
    """ "rank/processes" -> (rank, processes). Raises ConfigError."""
    parts = said.split("/")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--shard must be rank/processes, two whole numbers such as 0/4 and 3/4; got {said!r}")
    return checked(int(parts[0]), int(parts[1]), "--shard")


def checked(rank: int, world: int, called: str = "the rank") -> tuple[int, int]:
    """The same, after a check that there is such a share. Raises ConfigError."""
    if world < 1:
        raise ConfigError(f"{called}: there must be at least one process; got {rank}/{world}")
    if not 0 <= rank < world:
        raise ConfigError(f"{called}: the rank must lie in 0..{world - 1}; got {rank}/{world}")
    return rank, world


def device() -> str:
    """This process's device: the GPU of its local rank, or the CPU."""
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{_number('LOCAL_RANK', 0) % torch.cuda.device_count()}"


def _number(name: str, usual: int | None = None) -> int:
    said = os.environ.get(name, "" if usual is None else str(usual))
    try:
        return int(said)
    except ValueError:
        raise ConfigError(f"the environment's {name} must be a whole number; got {said!r}") from None
