"""What a link to a page shows elsewhere: title, description, picture."""

import html
import re

from docutils import nodes

from tools import site_meta


def page(*words: str) -> nodes.document:
    document = nodes.document("", "")
    section = nodes.section("", nodes.title(text="A title"))
    document += section
    section.extend(nodes.paragraph("", "", nodes.Text(text)) for text in words)
    return document


def test_a_description_is_the_first_paragraph_cut_at_a_word():
    question = "Which places in the photograph does its score come from?"
    assert site_meta.described(page("Short.", question, "More of it, and much more of it.")) == question
    long = site_meta.described(page("word, " * 60))
    assert len(long) <= site_meta.LONGEST + 2 and long.endswith("word …")
    assert site_meta.described(None) == ""


def test_formulas_are_left_out():
    paragraph = nodes.paragraph("", "", nodes.Text("The weight "), nodes.math("", r"\alpha"), nodes.Text(" is a mean."))
    assert site_meta.words(paragraph) == "The weight  is a mean."
    longer = nodes.paragraph("", "", nodes.strong("", "", nodes.Text("So much for words. ")), *paragraph.children)
    document = page()
    document.append(longer)
    assert site_meta.described(document) == "So much for words. The weight is a mean."


def test_the_picture_is_the_first_one_that_is_no_drawing():
    body = '<img src="../_images/a.svg"><img alt="x" src="../_images/b.jpg"><img src="../_images/c.png">'
    assert site_meta.picture("book/01-a", body) == "_images/b.jpg"
    assert site_meta.picture("book/01-a", '<img src="https://elsewhere.org/a.jpg">') == site_meta.USUAL


def test_addresses_are_whole_with_a_base_and_stay_here_without():
    said = site_meta.tags('A "title"', "It says so.", "_images/b.jpg", "book/a.html", "")
    assert "://" not in said and 'og:image" content="../_images/b.jpg"' in said and "og:url" not in said
    assert html.escape('A "title"') in said and '<meta name="description" content="It says so.">' in said
    whole = site_meta.tags("A", "", "_images/b.jpg", "book/a.html", "https://a.org/book-of-maps")
    assert re.findall(r"https://[^\"]+", whole) == [
        "https://a.org/book-of-maps/book/a.html",
        "https://a.org/book-of-maps/_images/b.jpg",
    ]
    assert "description" not in whole
