"""What every test shares: few threads, and a word where there is no GPU."""

import pytest
import torch

torch.set_num_threads(1)  # the tensors are small, and several processes share the cores


def pytest_collection_modifyitems(items):
    """Skip the tests marked `gpu` where there is no CUDA device, and say so."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no CUDA device here")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
