"""Handouts on paper: the exam and an assignment are printed with their formulas, and nothing is asked elsewhere."""

from __future__ import annotations

import re

import pytest

from tests.helpers.browser import chromium
from tools import handouts
from tools.exam import QUESTIONS, sections


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    pypdf = pytest.importorskip("pypdf")
    if chromium() is None:
        pytest.skip("no Chromium found")
    made = handouts.write(tmp_path_factory.mktemp("handouts"), "a sentence", ("exam", "assignment-hour"))
    return {path.stem: [page.extract_text() for page in pypdf.PdfReader(path).pages] for path in made}


def test_all_nine_are_made():
    graded = {f"assignment-{name}{of}" for name in ("hour", "evening", "week") for of in ("", "-answers")}
    assert set(handouts.pages(None)) == {"notes", "exam", "exam-answers"} | graded


def test_the_exam_has_points_and_no_answer(printed):
    text = "\n".join(printed["exam"])
    parts = [re.findall(r"^\d\. ", body, re.MULTILINE) for _, body in sections(QUESTIONS).values()]
    assert len(re.findall(r"\(\d+\s+points\)", text)) == sum(map(len, parts))
    assert "Answer\n" not in text and "May be changed" not in text and "{ref}" not in text


def test_formulas_are_drawn(printed):
    for pages in printed.values():
        text = "\n".join(pages)
        assert "\\frac" not in text and "\\begin" not in text and "$$" not in text and "undefined" not in text


def test_an_assignment_has_points_and_no_hidden_test(printed):
    text = "\n".join(printed["assignment-hour"])
    assert "3 points: by-hand-plus-plus" in text and "YOUR CODE HERE" in text
    assert "HIDDEN" not in text and "BEGIN" not in text
