"""Marks of slides: what is wrong is named with its chapter and cell, and what does not fit a slide is refused."""

import json

import pytest

from tools.chapters import Chapter
from tools.plain_text import Numbers
from tools.slides.marks import marks
from tools.slides.parts import Parts
from tools.slides.text import blocks, html, inline, plain, spoken

TEXT = "# A title\n\nA question?\n\n## A section\n\nSome words.\n\n$$\nx^2\n$$ (eq-x)\n"


def chapter(tmp_path, tags=("slide",), words=("# One", "Text.", "# Two", "{output}"), code="print(1)", printed="1\n"):
    metadata = {"tags": list(tags)} | ({"slide": list(words)} if words is not None else {})
    output = {"name": "stdout", "output_type": "stream", "text": [printed]}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": [TEXT]},
        {"cell_type": "code", "id": "b", "metadata": metadata, "source": [code], "outputs": [output] * bool(printed)},
    ]
    path = tmp_path / "99-a-chapter.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}}), encoding="utf-8")
    return Chapter(path)


def parts(tmp_path, **how):
    found = chapter(tmp_path, **how)
    return Parts(found, Numbers.of([found]), tmp_path)


def test_a_cell_makes_as_many_slides_as_it_has_titles(tmp_path):
    one, two = marks(chapter(tmp_path, tags=("by-hand", "slide", "slide-day")))
    assert (one.title, one.lines, two.title, two.lines) == ("One", ("Text.",), "Two", ("{output}",))
    assert one.section == "A section" and one.decks == two.decks == {"day"} and one.cell == 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"tags": ("slide-day",)}, "the tags of slides are slide, slide-lecture, slide-day; here are"),
        ({"tags": ("slide", "slides")}, "the tags of slides are"),
        ({"tags": ()}, "the tags of slides are"),
        ({"words": None}, "without a picture a slide needs words"),
        ({"words": ("No title",)}, "begin with its title"),
    ],
)
def test_what_is_marked_wrongly_is_named(tmp_path, how, said):
    with pytest.raises(ValueError, match=said):
        list(marks(chapter(tmp_path, **how)))


@pytest.mark.parametrize(
    ("how", "line", "error", "said"),
    [
        ({"code": "\n".join("a" * 13)}, "{code}", ValueError, "13 lines of a program are too many"),
        ({"printed": "x" * 95}, "{output}", ValueError, "95 characters is too wide"),
        ({"printed": ""}, "{output}", ValueError, "printed nothing"),
        ({}, "{equation eq-y}", KeyError, "eq-y"),
        ({}, "{claim ucag, Fig. 99}", KeyError, "the ledger has no claim 'ucag, Fig. 99'; it has"),
        ({}, "{picture fig-none}", KeyError, "fig-none"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, how, line, error, said):
    with pytest.raises(error, match=said) as caught:
        parts(tmp_path, **how).insert(line, 1)
    assert "99-a-chapter.ipynb, cell 1" in str(caught.value)


def test_inserts_are_parts_of_the_chapter(tmp_path):
    made = parts(tmp_path, code="a = 1\nb = 2\nc = 3", printed="x < y\nsecond\nthird\n")
    assert r"x^2\tag{99.1}" in made.insert("{equation eq-x}", 0)
    assert made.insert("{output 1}", 1) == '<pre class="large">x &lt; y</pre>'
    assert made.insert("{output 2-}", 1) == '<pre class="large">second\nthird</pre>'
    code = made.insert("{code 2-3}", 1)
    assert "b <span" in code and "a <span" not in code
    assert made.insert("A sentence in {braces}.", 1) is None
    assert 'class="small"' in parts(tmp_path, printed="x" * 80).insert("{output}", 1)


def test_words_lose_their_roles():
    said = plain("{numref}`fig-a` has 84 %; {ref}`sec-b`, {eq}`eq-c`", {"fig-a": "Fig. 1.1"}, {"sec-b": "B"})
    assert said == "Fig.\u00a01.1 has 84\u00a0%; *B*, an earlier equation"
    assert html("$a<b$") == '<p><span class="math inline">\\(a&lt;b\\)</span></p>\n'
    assert spoken(inline(r"as $\alpha g^2$ says")) == "as <code>αg^2</code> says"
    assert [block.kind for block in blocks(TEXT)] == ["h1", "paragraph", "h2", "paragraph", "equation"]
