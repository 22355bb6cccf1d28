"""Whether a reader sits before the notebook, or its outputs are being made for the book.

A chapter's stored outputs are pictures, for the site, paper and code hosts. Where a kernel serves a reader, in
JupyterLab, VS Code or Colab, the same call gives controls. What makes stored outputs says so: HOLICAM_STORED=1.
Where outputs are made only to be compared with the stored ones it is HOLICAM_STORED=compared, and no file is written.
"""

from __future__ import annotations

import os
import sys

STORED = "HOLICAM_STORED"


def compared() -> bool:
    """True where outputs are made to be compared with what is stored, and thrown away."""
    return os.environ.get(STORED) == "compared"


def live() -> bool:
    """True in a notebook's kernel, unless its outputs are to be stored."""
    if os.environ.get(STORED, "") not in ("", "0") or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")
