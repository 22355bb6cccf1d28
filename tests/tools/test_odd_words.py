"""Commands of tools/ that are asked for what cannot be: one sentence, and nothing is lost."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools import card_lite0, editions, handouts, pdf, portable, restamp, rows
from tools.slides import build


def said(capsys, run, *words):
    """What a command prints where it refuses; it must not end well."""
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code
    return capsys.readouterr().err


@pytest.mark.parametrize(("name", "inside"), [("gradebook.db", None), ("submitted", "ann/hour/hour.ipynb")])
def test_a_class_s_work_is_not_written_over(tmp_path, monkeypatch, capsys, name, inside):
    course = tmp_path / "_build" / "lecturer" / "course"
    work = course / name / inside if inside else course / name
    work.parent.mkdir(parents=True)
    work.write_text("marks")
    monkeypatch.setattr(editions, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["editions", "lecturer"])
    assert editions.main() == 1
    assert f"holds {name}: copy it out of _build" in capsys.readouterr().err and work.read_text() == "marks"


def test_an_edition_that_fails_leaves_the_last_one(tmp_path, monkeypatch):
    (tmp_path / "_build" / "student").mkdir(parents=True)
    (tmp_path / "_build" / "student" / "README.md").touch()
    monkeypatch.setattr(editions, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["editions", "student"])
    monkeypatch.setattr(editions, "wheel", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        editions.main()
    assert (tmp_path / "_build" / "student" / "README.md").exists()


@pytest.mark.parametrize("tool", [editions, handouts])
def test_everybody_guesses_an_empty_seed(monkeypatch, capsys, tool):
    monkeypatch.setattr(sys, "argv", ["tool", *(["student"] if tool is editions else []), "--seed", " "])
    assert "--seed is empty" in said(capsys, tool.main)


def test_a_chromium_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(FileNotFoundError, match="CHROMIUM=/nowhere/chromium is no program"), pdf.chromium():
        pass
    monkeypatch.setattr(sys, "argv", ["slides", "--pdf"])
    monkeypatch.setattr(build, "build", lambda target: {})
    assert build.main() == 1 and "is no program" in capsys.readouterr().err


def test_a_set_that_is_not_stored(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["restamp", "no-such-set"])
    assert "there is no stored set no-such-set" in said(capsys, restamp.main)


def test_a_link_to_photographs_survives_its_own_name(tmp_path, monkeypatch, capsys):
    link, photos = tmp_path / "_build" / "photos", tmp_path / "mine"
    photos.mkdir()
    monkeypatch.setattr(rows, "PHOTOS", link)
    monkeypatch.setattr(rows, "finished", lambda name: True)
    for given in (photos, link):
        monkeypatch.setattr(sys, "argv", ["rows", "truth", "--photos", str(given)])
        assert rows.main() == 0
        assert link.resolve() == photos.resolve()
        assert "truth: all of its images are there" in capsys.readouterr().out
    link.unlink()
    link.mkdir()
    monkeypatch.setattr(sys, "argv", ["rows", "truth", "--photos", str(photos)])
    assert "is a folder" in said(capsys, rows.main)


def test_results_come_from_several_threads(tmp_path):
    kept = portable.Kept(tmp_path, "default")
    results = [(f"{n:02d}", portable.Result(n, (), 0.0, "same")) for n in range(120)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: kept.put(*one), results))
    assert portable.Kept(tmp_path, "default").results == dict(results)


def test_a_photograph_without_a_class_changes_no_card(tmp_path, capsys):
    (tmp_path / "holiday.jpg").touch()
    assert "holiday.jpg does not begin with a class of WordNet" in said(capsys, card_lite0.main, [str(tmp_path)])
