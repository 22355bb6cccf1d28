"""Plain notebooks run from an empty folder, in an environment like Colab's, and so do both hand-outs, unpacked.

No environment here borrows anything: it has what its first cell or its requirements.txt installs.
"""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.helpers.elsewhere import alone, environment, executed, printed, run
from tests.helpers.packages import in_wheel, wanted
from tools import first_cell
from tools.chapters import load
from tools.compare import Printed
from tools.editions import wheel
from tools.editions import write as write_edition
from tools.ipynb import ROOT
from tools.plain import write

ALL = load()
NOW = {24}  # it has photographs, which ask for more; the others: `make test-slow`
CHAPTERS = [pytest.param(c, id=c.path.stem, marks=() if c.number in NOW else pytest.mark.slow) for c in ALL]
# One chapter, with all of its solutions; the others: `make test-slow`.
SHORT = {"student": set(), "lecturer": {2}}
HANDED_OUT = [
    pytest.param(edition, c, id=f"{edition}-{c.path.stem}", marks=() if c.number in now else pytest.mark.slow)
    for edition, now in SHORT.items()
    for c in ALL
]
KERNEL = ("ipykernel", "pip", "hatchling")  # a notebook's Python, and what pip fetches to build a package
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_BUILD_ISOLATION": "false",  # pip's word for: build with the hatchling that is here
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


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
def bare(tmp_path_factory) -> tuple[Path, Path]:
    """A Python with pip, a kernel, and what the first cell installs but for holicam itself; no index is asked."""
    installs = wanted(re.findall(r'%pip install.*?"(.*?)[" ]', first_cell.plain("here")))
    return environment(tmp_path_factory.mktemp("bare") / "environment", [*installs, *KERNEL])


@pytest.fixture
def python(bare) -> Path:
    """The same, in which no chapter has left its installation."""
    for old in bare[1].glob("*holicam*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return bare[0]


@pytest.fixture
def offline(repository, monkeypatch):
    """What a first cell asks for is here: the repository, and no index."""
    for name, value in {**OFFLINE, "HOLICAM_REPOSITORY": repository.as_uri()}.items():
        monkeypatch.setenv(name, value)
    return {"HOLICAM_REPOSITORY": repository.as_uri(), "HOLICAM_DEVICE": "cpu"}


@pytest.fixture
def empty(tmp_path) -> Path:
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return {path.name: path for path in write(tmp_path_factory.mktemp("plain"))}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_runs_on_colab(chapter, plain, python, offline, empty, tmp_path, monkeypatch):
    """Colab's module and another folder, the repository cloned by the first cell; it prints what is stored."""
    (tmp_path / "colab" / "google" / "colab").mkdir(parents=True)
    (tmp_path / "colab" / "google" / "colab" / "__init__.py").touch()
    offline["PYTHONPATH"] = str(tmp_path / "colab")
    done = executed(plain[chapter.path.name], python, empty, monkeypatch, **offline)
    assert printed({"cells": done.cells[-1:]}).strip().startswith(str(empty / "holicam-book"))
    first = [c for c in done.cells if c["id"] == "install"]
    assert len(first) == 1 and "error" not in printed({"cells": first}).lower()
    chapters = [c for c in done.cells[:-1] if c["id"] != "install"]
    assert Printed(printed({"cells": chapters})) == Printed(printed(nbformat.read(chapter.path, as_version=4)))


def test_first_cell_elsewhere(plain, python, offline, empty, tmp_path, monkeypatch):
    """No Colab, no module `google`: after the first cell all networks are there, and in the next kernel still."""
    notebook = nbformat.read(next(iter(plain.values())), as_version=4)
    first = next(c for c in notebook.cells if c.cell_type == "code")
    names = sorted(path.stem for path in (ROOT / "data").glob("*.safetensors"))
    loads = f"import sys, holicam as hc\nprint([len(hc.class_names(n)) for n in {names} if hc.load_model(n)])"
    notebook.cells = [first, nbformat.v4.new_code_cell(loads + "\nprint('google' in sys.modules)")]
    nbformat.write(notebook, tmp_path / "first.ipynb")
    for told in ("Note: you may need to restart the kernel to use updated packages.\n", ""):
        done = executed(tmp_path / "first.ipynb", python, empty, monkeypatch, **offline)
        assert printed({"cells": done.cells[1:2]}) == f"{[10] * len(names)}\nFalse\n" and len(names) == 6
        assert printed({"cells": done.cells[:1]}) == told


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The wheel of the hand-outs."""
    return wheel(tmp_path_factory.mktemp("wheel"), "--no-build-isolation", whole=True)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory, whole):
    """{edition: its folder, moved to another place}, and a Python with what its requirements.txt brings."""
    place = tmp_path_factory.mktemp("handed out")
    for name in ("student", "lecturer"):
        write_edition(name, place / "made", whole)
        shutil.move(place / "made", place / name)
    lines = {(place / name / "requirements.txt").read_text() for name in ("student", "lecturer")}
    assert len(lines) == 1
    python, own = environment(place / "environment", [*wanted(lines.pop().splitlines()), "pip"], in_wheel(whole))
    pip = [python, "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    run(*pip, cwd=place / "student", env={**alone(), **OFFLINE})
    return place, python, own


@pytest.mark.parametrize("edition, chapter", HANDED_OUT)
def test_the_hand_out_runs_elsewhere(edition, chapter, unpacked, monkeypatch):
    """The folder, moved; its package installed from its own file by its own list."""
    place, python, own = unpacked
    done = executed(place / edition / chapter.path.name, python, place / edition, monkeypatch, HOLICAM_DEVICE="cpu")
    assert printed({"cells": done.cells[-1:]}).strip().startswith(str(own))
    assert printed({"cells": [c for c in done.cells if c["id"] == "install"]}) == ""
    said, right = printed(done), printed(nbformat.read(chapter.path, as_version=4))
    if edition == "student":
        verdicts = [line for line in said.splitlines() if line.startswith("right")]
        assert said.count("not yet") >= 3 and not verdicts
    else:
        assert Printed(said.removesuffix(printed({"cells": done.cells[-1:]}))) == Printed(right)
