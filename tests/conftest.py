"""What every test shares: few threads, and a word where there is no GPU."""

import os
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from holicam.core import own_code
from holicam.experiments import code
from holicam.experiments import own as own_experiments
from holicam.metrics import table

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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes files of one's own code into the current folder, which is empty; Python forgets them afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_code, "_folders", [])
    monkeypatch.setattr(own_code, "_imported", set())
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(table.registry)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    yield write
    _forget(tmp_path, known)


@pytest.fixture
def forget(tmp_path):
    """Python knows nothing of the files that `own` wrote, as if it had been started again."""
    known = set(table.registry)
    return lambda: _forget(tmp_path, known)


def _forget(folder: Path, known: set[str]) -> None:
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    for name in set(table.registry) - known:
        del table._entered[name]
    own_experiments._as_imported.cache_clear()
    code._definitions.cache_clear()
