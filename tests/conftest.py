"""What every test shares: few threads, and a word where there is no GPU."""

import os

import pytest
import torch

# The tensors are small, and several processes share the cores. `make test-portable` asks for two.
torch.set_num_threads(int(os.environ.get("HOLICAM_THREADS", "1")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Recorded numbers become plain floats: parallel runs cannot send NumPy's or torch's."""
    report = yield
    report.user_properties = [
        (name, float(value) if hasattr(value, "item") else value) for name, value in report.user_properties
    ]
    return report


def pytest_collection_modifyitems(items):
    """Skip the tests marked `gpu` where there is no CUDA device, and say so."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no CUDA device here")
    for item in items:
        if item.get_closest_marker("gpu"):  # its keywords hold the names of folders, too
            item.add_marker(skip)
