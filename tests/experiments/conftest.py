"""What tests of runs and of `explain` share: a run that nothing disturbed, and a tiny network on the command line."""

import pytest
import torch

from holicam.experiments import storage
from holicam.models.toy import ToyResNet50
from tests.helpers.commands import blank, network
from tests.helpers.runs import planned, run


@pytest.fixture(scope="session")
def plan():
    """A tiny network on four images; a file with a plan of its own defines another."""
    return planned()


@pytest.fixture(scope="session")
def whole(plan, tmp_path_factory):
    """(folder, rows) of its run; the folder is only read."""
    out = tmp_path_factory.mktemp("whole")
    run(plan, out)
    return out, storage.merge(out)


@pytest.fixture
def tiny(monkeypatch):
    """The only network that `explain` finds, with weights of no use."""
    torch.manual_seed(0)
    blank(monkeypatch)
    return network(monkeypatch, ToyResNet50(width=2).eval())
