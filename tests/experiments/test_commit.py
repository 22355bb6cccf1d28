"""holicam.experiments.commit: the commit in a run's manifest, which is no part of what the run is."""

from __future__ import annotations

import json
import subprocess

import pytest

from holicam.experiments import commit as code
from holicam.experiments.manifest import complete, read_manifest
from tests.helpers import runs


def git(folder, *words):
    own = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *own, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "checkout"
    (root / "holicam").mkdir(parents=True)
    (root / "holicam" / "ops.py").write_text("x = 1\n")
    (root / "README.md").write_text("\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


def test_the_commit_and_whether_the_package_is_it(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert len(head) == 40 and code.commit(checkout) == head
    (checkout / "README.md").write_text("another\n")  # moves no value
    assert code.commit(checkout) == head
    (checkout / "holicam" / "ops.py").write_text("x = 2\n")
    assert code.commit(checkout) == head + "+"
    git(checkout, "commit", "-qam", "two")
    assert code.commit(checkout) == git(checkout, "rev-parse", "HEAD") != head
    (checkout / "holicam" / "new.py").write_text("y = 1\n")
    assert code.commit(checkout)[-1] == "+"


def test_no_commit_where_there_is_none(checkout, tmp_path, monkeypatch):
    inside = checkout / ".venv" / "site-packages"
    (inside / "holicam").mkdir(parents=True)
    assert code.commit(inside) is None  # an environment in somebody else's repository
    alone = tmp_path / "alone"
    alone.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert code.commit(alone) is None
    git(alone, "init", "-q")
    assert code.commit(alone) is None  # nothing is committed
    monkeypatch.setenv("PATH", "")
    assert code.commit(checkout) is None  # no git


def test_a_hook_of_another_repository_leads_nowhere_else(checkout, tmp_path, monkeypatch):
    head, other = git(checkout, "rev-parse", "HEAD"), tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "another")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert code.commit(checkout) == head


def test_a_run_says_its_commit_and_goes_on_under_another(tmp_path, monkeypatch):
    plan = runs.planned()
    assert plan.manifest()["commit"] == code.commit()
    names = set()
    for commit in ("a" * 40, "b" * 40 + "+", None):
        monkeypatch.setattr("holicam.experiments.plan.commit", lambda commit=commit: commit)
        names.add(complete(plan.manifest())["run"])
    assert len(names) == 1
    monkeypatch.setattr("holicam.experiments.plan.commit", lambda: "a" * 40)
    assert runs.run(plan, tmp_path)[0] > 0
    monkeypatch.setattr("holicam.experiments.plan.commit", lambda: "b" * 40)
    assert runs.run(plan, tmp_path)[0] == 0  # the same run: all units are there
    assert (
        read_manifest(tmp_path)["commit"] == json.loads((tmp_path / "manifest.json").read_text())["commit"] == "a" * 40
    )
