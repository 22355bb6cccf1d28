"""Every chapter, as it is stored: run in order, fresh, readable, within its limits."""

import re
from pathlib import Path

import pytest
import yaml

import holicam as hc
from tests.helpers.book_guards import CHAPTER_KB, GUARDS, LABEL
from tools.digest import changes, digest, parts
from tools.ipynb import code_cells, figure, run_of, texts
from tools.ipynb import read as load
from tools.tidy import tidied_text

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
BOOK_MB = 18
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


@each_chapter
@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g.__name__)
def test_guard(path, guard):
    complaints = list(guard(load(path)))
    assert not complaints, "\n".join(complaints)


@each_chapter
def test_is_fresh(path):
    notebook = load(path)
    changed = list(changes(notebook))
    assert not changed, f"{path.name} is stale ({', '.join(changed)}): run `make execute`"
    stored = run_of(notebook)
    if all((ROOT / "holicam" / file).exists() for file in stored["files"]):  # none has moved
        assert stored["digest"] == digest(parts(notebook, stored["files"]))


@each_chapter
def test_says_where_it_was_run(path):
    said = run_of(load(path))
    assert {"device", "seconds", "versions"} <= said.keys()
    assert "torch" in said["versions"]


@each_chapter
def test_is_stored_in_canonical_form(path):
    assert path.read_text(encoding="utf-8") == tidied_text(path), f"{path.name} was saved by an editor: run `make tidy`"


@each_chapter
def test_size(path):
    assert path.stat().st_size <= CHAPTER_KB * 1000


@each_chapter
def test_figures_are_named_after_the_chapter(path):
    """At least its first word: fig-from-..., fig-holistic-..."""
    start = f"fig-{path.stem.split('-')[1]}-"
    for cell in code_cells(load(path)):
        if name := figure(cell).get("name"):
            assert name.startswith(start), f"{name} does not start with {start}"


@each_chapter
def test_begins_with_its_label(path):
    assert texts(load(path))[0].startswith(f"(sec-{path.stem[3:]})=\n# ")


def test_size_of_the_book():
    files = [p for p in (ROOT / "book").rglob("*") if p.is_file() and "explorers" not in p.parts]
    files = [p for p in files if ".ipynb_checkpoints" not in p.parts]
    assert sum(p.stat().st_size for p in files) <= BOOK_MB * 1e6


def test_names():
    stems = [p.stem for p in CHAPTERS]
    assert all(re.fullmatch(r"\d\d-[a-z]+(-[a-z0-9]+)*", stem) for stem in stems), stems
    assert len({stem[3:] for stem in stems}) == len(stems) == len({stem[:2] for stem in stems})


def test_labels_are_unique():
    labels = []
    for path in CHAPTERS:
        notebook = load(path)
        for markdown in texts(notebook):
            labels += [next(filter(None, groups)) for groups in LABEL.findall(markdown)]
        labels += [figure(c)["name"] for c in code_cells(notebook) if figure(c).get("name")]
    assert not {label for label in labels if labels.count(label) > 1}


def test_contents_list_what_exists():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert len(set(listed)) == len(listed)
    pages = {p.stem for p in (ROOT / "book").glob("*") if p.suffix in (".ipynb", ".md")}
    assert {"book/" + name for name in pages} == {toc["root"], *listed}
    numbered = [name for name in listed if re.match(r"book/\d\d-", name)]
    assert numbered == sorted(numbered)


def test_python_in_prose_pages_names_what_exists():
    """`hc.something` in the pages and the README is something that holicam has."""
    for path in (*(ROOT / "book").glob("*.md"), ROOT / "README.md"):
        for name in re.findall(r"\bhc\.(\w+)", path.read_text(encoding="utf-8")):
            assert hasattr(hc, name), f"{path.name} mentions hc.{name}, which does not exist"
