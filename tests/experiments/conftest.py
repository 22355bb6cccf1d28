"""One small run that nothing disturbed, for all tests that disturb a run."""

import pytest

from holicam.experiments import storage
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
