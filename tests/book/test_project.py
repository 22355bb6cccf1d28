"""What stands in several files of the project agrees: version, address, packages, and names that are leaving."""

from __future__ import annotations

import os
import re
import tomllib
import warnings
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import holicam as hc
from tools import build_site

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLACES = ("CITATION.cff", "README.md", "pyproject.toml", "book/intro.md", "book/cite.md")


def test_the_version_stands_in_one_place():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert said == hc.__version__ and PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "holicam/__init__.py"


@pytest.mark.parametrize("name", PLACES)
def test_the_address_is_that_of_the_configuration(name):
    """_config.yml is where it is changed; each of these must follow."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = set(re.findall(r"https://(?:www\.)?github\.com/[\w.-]+/holicam\b", text))
    assert found == {ADDRESS}, f"{name} names {found}, _config.yml {ADDRESS}"


def test_no_other_file_holds_the_address():
    """Each new place would be one more to change."""
    known = {*PLACES, "_config.yml"}
    for folder in ("holicam", "tools", "tests", "benchmarks", "teaching", ".github"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yml", ".mjs", ".toml", ".cfg"):
                assert ADDRESS not in path.read_text(encoding="utf-8"), path.relative_to(ROOT)
    for path in [*ROOT.glob("*.*"), *(ROOT / "book").glob("*.*")]:
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and name not in known:
            assert ADDRESS not in path.read_text(encoding="utf-8"), name


def test_the_book_installs_all_that_the_module_and_its_extras_need():
    exact = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    extras = PROJECT["project"]["optional-dependencies"]
    own = [need for name in extras if name not in ("data", "book") for need in extras[name]]  # "book" names the others
    needs = [*PROJECT["project"]["dependencies"], *own]
    assert {re.match(r"[\w-]+", need)[0] for need in needs} <= exact
    tests = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements-test.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert {re.match(r"[\w-]+", need)[0] for need in extras["data"]} <= exact | tests


@pytest.mark.parametrize("name", hc._LEFT)
def test_a_name_that_is_leaving_works_and_says_what_to_write(name):
    assert name not in hc.__all__
    with pytest.warns(DeprecationWarning, match=rf"^hc\.{name} goes in holicam \d+\.\d+; write \S+") as told:
        module = getattr(hc, name)
    assert module.__name__ == f"holicam.{hc._LEFT[name]}" and Path(told[0].filename) == Path(__file__)
    for public in re.findall(r"hc\.(\w+)", str(told[0].message).partition("; write ")[2]):
        assert getattr(hc, public).__module__.startswith("holicam.")


def test_the_names_go_when_they_were_said_to():
    """One minor version after the one that took them out of `hc.__all__`."""
    assert tuple(map(int, hc.__version__.split(".")[:2])) < tuple(map(int, hc._LEFT_IN.split("."))), "delete hc._LEFT"


def test_names_that_stay_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        for name in hc.__all__:
            getattr(hc, name)


def test_the_changelog_speaks_of_this_version_and_of_numbers():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, *_ = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert hc.__version__ in newest or "unreleased" in newest.lower()
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert all("### Numbers that changed" in part for part in parts)


def test_make_help_lists_every_target():
    """Those of the lists of packages apart, which the others ask for."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()) - {"site-packages", "test-packages"}
    assert len(targets) > 20
    assert targets == {t for names in re.findall(r"^([a-z][a-z -]*):(?!=)", text, re.M) for t in names.split()} - {
        "site-packages",
        "test-packages",
    }
    lines = re.search(r"^help:\n((?:\t.*\n)+)", text, re.M)[1]
    assert set(re.findall(r"\bmake ([a-z-]+)", lines)) == targets


def test_only_the_site_s_own_folders_are_built_afresh(tmp_path, monkeypatch):
    """What other tools keep in _build is theirs: make test-portable goes on after hours."""
    for name, path in (("BUILD", ""), ("HTML", "html"), ("MARK", ".unfinished"), ("DONE", ".finished")):
        monkeypatch.setattr(build_site, name, tmp_path / path)
    for name in ("html/index.html", ".doctrees/a", "jupyter_execute/b", "portable/default.json", ".unfinished"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".finished").touch()
    build_site.forget_what_is_stale()
    assert [path.name for path in tmp_path.iterdir()] == ["portable"]
    assert (tmp_path / "portable" / "default.json").exists() and not build_site.is_up_to_date()


def test_a_changed_style_is_built(tmp_path, monkeypatch):
    """Sphinx copies styles and scripts only where a page has changed, too."""
    for name, path in (("BUILD", ""), ("HTML", "html"), ("MARK", ".unfinished"), ("DONE", ".finished")):
        monkeypatch.setattr(build_site, name, tmp_path / path)
    newest = max(path.stat().st_mtime for path in (build_site.ROOT / "book" / "_static").iterdir())
    for built, stays in ((newest - 1, False), (newest + 1e6, True)):
        (tmp_path / "html").mkdir()
        (tmp_path / ".finished").touch()
        os.utime(tmp_path / ".finished", (built, built))
        build_site.forget_what_is_stale()
        assert (tmp_path / "html").exists() == stays


def test_an_installed_package_is_of_this_version():
    try:
        installed = metadata.version("holicam")
    except metadata.PackageNotFoundError:
        pytest.skip("holicam is not installed in this environment")
    assert installed == hc.__version__, "run `make` again: the environment holds another version"


def test_pictures_of_an_earlier_build_go_and_those_that_a_page_shows_stay(tmp_path):
    (tmp_path / "_images").mkdir()
    for name in ("old.jpg", "shown.jpg", "paper.png", "linked.svg", "card.jpg"):
        (tmp_path / "_images" / name).write_text("")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "one.html").write_text(
        '<a href="../_images/linked.svg"><img src="../_images/shown.jpg"></a>'
        "<span style=\"background-image: url('../_images/paper.png')\"></span>"
        '<meta property="og:image" content="https://a.b/_images/card.jpg">'
    )
    assert build_site.sweep_pictures(tmp_path) == 1
    left = {path.name for path in (tmp_path / "_images").iterdir()}
    assert left == {"shown.jpg", "paper.png", "linked.svg", "card.jpg"}
