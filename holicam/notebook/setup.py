"""A notebook's first line: the same numbers every time, quiet, with pictures of one style."""

from __future__ import annotations

import base64
import os
import random
import sys
import warnings
from typing import Any

import numpy as np
import torch


def setup(seed: int = 0, *, threads: int | None = None) -> None:
    """Makes a notebook repeatable: seeds, threads, exact arithmetic, warnings, figures.

    seed: for Python, NumPy and torch. threads: of torch on a CPU; one gives the same sums on every
    machine and lets two notebooks run side by side on two cores, more is faster. None is one, or
    what the environment variable HOLICAM_THREADS says. Reduced-precision
    convolutions are switched off, so that a GPU's digits are those of float32. Deprecation and user
    warnings are silenced, numerical ones stay. Figures come inline as JPEG, at twice the
    screen's resolution, in the style of `holicam.notebook.plot`. Outside a notebook everything but the figures is set.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0; got {seed!r}.")
    if threads is None:
        said = os.environ.get("HOLICAM_THREADS", "1")
        if not said.isdecimal():
            raise ValueError(f"threads must be an integer of at least 1; got {said!r}.")
        threads = int(said)
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads must be an integer of at least 1; got {threads!r}.")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    # cuBLAS repeats a sum exactly only with a fixed workspace, chosen before its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=kind)
    if "IPython" in sys.modules:
        _figures()


def _figures() -> None:
    """Inline JPEG figures in the house style, with the width they are shown at; nothing where no notebook runs."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib_inline.backend_inline import set_matplotlib_formats
    from matplotlib_inline.config import InlineBackend

    from . import plot, stored

    def shown(figure: Any) -> tuple[str, dict[str, int]]:
        return base64.b64encode(stored.jpeg(figure)).decode(), {"width": stored.width(figure)}

    matplotlib.rcParams.update(plot.STYLE)
    InlineBackend.instance().figure_formats = {"jpeg"}
    set_matplotlib_formats("jpeg")
    shell.display_formatter.formatters["image/jpeg"].for_type(Figure, shown)
