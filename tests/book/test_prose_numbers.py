"""Numbers in prose: what the cells printed, rounded as the text gives it, and put right after a run."""

import json

import pytest

from tests.book.test_book import each_chapter
from tools import prose_numbers as numbers
from tools.chapters import Chapter
from tools.ipynb import read


@each_chapter
def test_prose_gives_what_was_printed(path):
    wrong = [
        f"{said} should be {new}" for _, said, new in numbers.numbers(Chapter(path)) if not numbers.same(said, new)
    ]
    assert not wrong, f"{path.name}: {', '.join(wrong)}: run python -m tools.prose_numbers {path}"


@pytest.mark.parametrize(
    ("said", "printed", "new"),
    [
        ("0.96", "0.9649", "0.96"),
        ("0.9", "0.9649", "1.0"),
        ("84 %", "0.8378", "84 %"),
        ("84 %", "84.4%", "84 %"),
        ("−.1", "-0.26", "−0.3"),
        ("3", "12", "12"),
        ("9,999", "12345", "12,345"),
        ("12345", "12345", "12,345"),
        ("0.1", "1e-3", "0.0"),
        ("2", "−2.4", "−2"),
    ],
)
def test_rounding(said, printed, new):
    assert numbers.written(said, printed) == new


def test_the_last_digit_may_round_otherwise():
    assert numbers.same("0.96", "0.97") and not numbers.same("0.96", "0.98")
    assert numbers.same("84 %", "83 %") and not numbers.same("84 %", "86 %")


def chapter(tmp_path, text, promised, printed):
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {"numbers": promised}, "source": text},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": "",
            "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": printed}],
        },
    ]
    path = tmp_path / "01-one.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_number_is_renewed_and_no_other(tmp_path):
    path = chapter(tmp_path, "It is 0.50 and 10.50, at 0.50.", {"0.50": "share {n}"}, "share 0.7312")
    assert numbers.renew(path) == 1 and numbers.renew(path) == 0
    cell = read(path)["cells"][0]
    assert "".join(cell["source"]) == "It is 0.73 and 10.50, at 0.73." and cell["metadata"]["numbers"] == {
        "0.73": "share {n}"
    }


def test_a_unit_of_the_last_digit_is_renewed_where_that_is_asked(tmp_path):
    path = chapter(tmp_path, "It is 0.72.", {"0.72": "share {n}"}, "share 0.7312")
    assert numbers.renew(path) == 0 and numbers.renew(path, exact=True) == 1 and numbers.renew(path, exact=True) == 0
    assert "".join(read(path)["cells"][0]["source"]) == "It is 0.73."


@pytest.mark.parametrize(
    ("text", "find", "said"),
    [("It is 0.5.", "share {n}", "a text that does not have it"), ("It is 0.50.", "other {n}", "is in no cell")],
)
def test_a_promise_that_cannot_be_kept(tmp_path, text, find, said):
    with pytest.raises(ValueError, match=said):
        numbers.renew(chapter(tmp_path, text, {"0.50": find}, "share 0.50"))
