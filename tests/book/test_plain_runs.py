"""Plain notebooks run from an empty folder, in an environment like Colab's, and so does the hand-out, unpacked."""

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from tests.helpers.elsewhere import environment, executed, printed, run
from tools.chapters import load
from tools.compare import Printed
from tools.editions import write as write_edition
from tools.ipynb import ROOT
from tools.plain import write

NOW = {1, 7, 22}  # the others: `make test-slow`
CHAPTERS = [pytest.param(c, id=c.path.stem, marks=() if c.number in NOW else pytest.mark.slow) for c in load()]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """This tree as a repository that can be cloned, whatever is committed."""
    folder = tmp_path_factory.mktemp("repository") / "holicam"
    for name in ("holicam", "data", "book/_static"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in (".toml", ".py", ".md", ".txt", "") and not path.name.startswith("."):
            shutil.copy(path, folder)
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run("git", "init", "-q", folder)
    run(*git, "add", "-A")
    run(*git, "commit", "-qm", "all")
    return folder


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> Path:
    """A Python with Colab's module, with pip, without holicam."""
    python, own = environment(tmp_path_factory.mktemp("colab"), with_pip=True)
    (own / "google" / "colab").mkdir(parents=True)
    (own / "google" / "colab" / "__init__.py").touch()
    return python


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return {path.name: path for path in write(tmp_path_factory.mktemp("plain"))}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_runs_on_colab(chapter, plain, colab, repository, tmp_path, monkeypatch):
    """Another folder, the repository cloned by the first cell; it prints what is stored."""
    folder = tmp_path / "content"
    folder.mkdir()
    done = executed(
        plain[chapter.path.name],
        colab,
        folder,
        monkeypatch,
        HOLICAM_REPOSITORY=repository.as_uri(),
        HOLICAM_DEVICE="cpu",
        PIP_NO_BUILD_ISOLATION="false",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    assert printed({"cells": done.cells[-1:]}).strip().startswith(str(folder / "holicam-book"))
    first = [c for c in done.cells if c["id"] == "install"]
    assert len(first) == 1 and "error" not in printed({"cells": first}).lower()
    chapters = [c for c in done.cells[:-1] if c["id"] != "install"]
    assert Printed(printed({"cells": chapters})) == Printed(printed(nbformat.read(chapter.path, as_version=4)))


def test_the_hand_out_runs_elsewhere(tmp_path, monkeypatch):
    """The students' folder, moved; its package installed from its own file; the shortest chapter run."""
    write_edition("student", tmp_path / "made", "--no-build-isolation")
    folder = shutil.move(tmp_path / "made", tmp_path / "handed out")
    python, own = environment(tmp_path / "environment", with_pip=True)
    wheel = next(line for line in (folder / "requirements.txt").read_text().splitlines() if line.startswith("./"))
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", wheel],
        cwd=folder,
        check=True,
    )
    done = executed(folder / "04-positive-gradients.ipynb", python, folder, monkeypatch)
    assert printed({"cells": done.cells[-1:]}).strip().startswith(str(own))
    said = printed(done)
    assert said.count("not yet") >= 3 and "right" not in said
