"""What the first cell of a notebook does, by what it finds: commands are printed and not carried out.

Python runs with -S, so it has its own modules and those that a test puts into a folder: no `google`, no holicam.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import first_cell

ADDRESS = "https://example.org/a/b"


def told(code: str, folder: Path, *places: Path) -> list[str]:
    """The commands that a cell gives in `folder`, where Python looks for packages in `places`."""
    code = re.sub(r"^( *)([!%].*)$", lambda m: f"{m[1]}print(f{m[2]!r})", code, flags=re.MULTILINE)
    env = {"PYTHONPATH": os.pathsep.join(map(str, places))}
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=folder, env=env, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def put(folder: Path, *modules: str) -> Path:
    for name in modules:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    return folder


@pytest.fixture
def used(tmp_path) -> Path:
    """A folder with everything that the chapters import but holicam."""
    return put(tmp_path / "site-packages", *first_cell.modules())


@pytest.fixture
def here(tmp_path) -> Path:
    folder = tmp_path / "a reader's folder"
    folder.mkdir()
    return folder


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = put(tmp_path / "checkout", "holicam")
    (folder / "pyproject.toml").touch()
    return folder


def cloned(here: Path) -> list[str]:
    book = here / "holicam-book"
    return [f'!git clone -q --depth 1 "{ADDRESS}" "{book}"', f'%pip install -q -e "{book}[book]"']


def test_where_nothing_is_the_repository_is_cloned(here):
    """Colab, and any other machine."""
    assert told(first_cell.plain(ADDRESS), here) == cloned(here)


def test_a_folder_with_the_name_is_no_package(here, used):
    (here / "holicam").mkdir()
    assert told(first_cell.plain(ADDRESS), here, used) == cloned(here)


def test_a_wheel_lacks_networks(here, used):
    assert told(first_cell.plain(ADDRESS), here, put(used, "holicam")) == cloned(here)


def test_a_clone_is_not_cloned_again(here, used):
    (here / "holicam-book").mkdir()
    assert told(first_cell.plain(ADDRESS), here, used) == cloned(here)[1:]


def test_a_whole_checkout_is_left_alone(here, used, checkout):
    assert not told(first_cell.plain(ADDRESS), here, checkout, used)
    assert not told(first_cell.plain(ADDRESS), checkout, used)  # not installed, but the notebook lies in it


@pytest.mark.parametrize("module", first_cell.modules())
def test_what_a_checkout_lacks_is_installed_from_it(here, used, checkout, module):
    (used / module).rename(used / "gone")
    assert told(first_cell.plain(ADDRESS), here, checkout, used) == [f'%pip install -q -e "{checkout}[book]"']


@pytest.mark.parametrize("module", ["holicam", *first_cell.modules()])
def test_a_hand_out_installs_what_is_missing(here, used, module):
    put(used, "holicam")
    assert not told(first_cell.handed_out(), here, used)
    (used / module).rename(used / "gone")
    assert told(first_cell.handed_out(), here, used) == ["%pip install -q -r requirements.txt"]
