"""Medians of interleaved runs in CPU seconds, and the memory that a run needs beyond what is there."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

import torch

Run = Callable[[], object]


def medians(runs: Mapping[str, Run], rounds: int = 3) -> dict[str, float]:
    """{name: median CPU seconds}. All take turns, so that a slow minute of the machine hits all of them.

    CPU seconds of this process, because other work on the machine weighs little in them. On a GPU: seconds
    between synchronisations, and at least one round after the warm-up, which loads kernels.
    """
    rounds = max(rounds, 1) if torch.cuda.is_available() else rounds
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(rounds + 1):
        for name, run in runs.items():
            began = _now()
            run()
            if round_ or rounds == 0:  # the first round warms up
                taken[name].append(_now() - began)
    return {name: statistics.median(values) for name, values in taken.items()}


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def peak_mb(run: Run) -> float:
    """MB beyond what the process held before: of the GPU, or of a forked child on the CPU (one thread)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    libc = ctypes.CDLL("libc.so.6")
    libc.malloc_trim(0)  # freed memory that the process still holds would hide the peak
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            libc.mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: tensors of 1 MB and more are given back when freed
            before, libraries = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, _file_kb()
            run()
            peak, libraries = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, _file_kb() - libraries
            os.write(writer, str(peak - before - libraries).encode())
        finally:
            os._exit(0)
    os.close(writer)
    said = os.read(reader, 64)
    os.close(reader)
    os.waitpid(child, 0)
    return int(said or 0) / 1e3


def allocated_mb(run: Run) -> float:
    """MB of tensors alive at the worst moment of a run, beyond those there before; the same on every machine."""
    if torch.cuda.is_available():
        return peak_mb(run)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    changes = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    alive = accumulate(event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns()))
    return max(alive, default=0) / 1e6


def _file_kb() -> int:
    """kB of mapped files: a child maps the pages of libraries anew as it touches them, which is no memory of a run."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssFile:"))


def machine() -> dict[str, object]:
    """What a number depends on besides the code."""
    cuda = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if cuda else "cpu, one thread",
        "processor": platform.machine(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "peers": _versions(),
    }


def _versions() -> dict[str, str]:
    """Of the peers that are installed."""
    found = {}
    for name in ("grad-cam", "torchcam", "captum", "zennit"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Clock:
    """Seconds left of a budget; None is no budget."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        return float("inf") if self.end is None else self.end - time.monotonic()
