"""Plain notebooks: nothing that only the site can read is left, and what was said is still there."""

import base64
import json
import re

import nbformat
import pytest

from tools import first_cell
from tools.chapters import load
from tools.ipynb import source
from tools.plain import on_site, plain, still
from tools.plain_text import Numbers, Plain

CHAPTERS = load()
WORDS = Plain(Numbers.of(CHAPTERS), on_site)
MARKUP = re.compile(r"\{[\w:-]+\}`|^`{3,}\{|^:[\w-]+:|^\([\w-]+\)=|\$\$ *\(|attachment:", re.MULTILINE)


@pytest.fixture(scope="module")
def made():
    return {c.number: plain(c.notebook, WORDS, first_cell.plain("https://example.org/a/b")) for c in CHAPTERS}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.path.stem)
def test_chapter(chapter, made):
    notebook = made[chapter.number]
    nbformat.validate(nbformat.from_dict(json.loads(json.dumps(notebook))))
    text = "\n\n".join(source(c) for c in notebook["cells"] if c["cell_type"] == "markdown")
    assert not MARKUP.search(text), MARKUP.search(text)[0]
    pictures = re.findall(r"!\[([^\]]{30,})\]\((\S{100})", text)
    assert len(pictures) == chapter.text.count("{figure}") and all(p[1].startswith("data:image/png") for p in pictures)
    assert text.count("\\tag{") == len(re.findall(r"\$\$ *\(eq-", chapter.text))
    assert len(re.findall(r"^### Exercise \d+\.\d+: ", text, re.MULTILINE)) == len(chapter.exercises)
    assert text.count("<details>") == text.count("</details>") >= 3 and "<figure" not in json.dumps(notebook)
    captions = [
        c["metadata"]["mystnb"]["figure"]["caption"]
        for c in chapter.notebook["cells"]
        if c["metadata"].get("mystnb", {}).get("figure")
    ]
    assert len(re.findall(r"^\*Fig\. \d+\.\d+\. ", text, re.MULTILINE)) == len(captions) + len(pictures)
    code = [source(c) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert "pip install" in code[0] and code[1:] == chapter.code
    assert not any("slide" in c["metadata"] for c in notebook["cells"]), "the words of slides stay in the book"
    compile(re.sub(r"^( *)[%!].*", r"\1pass", code[0], flags=re.MULTILINE), "first cell", "exec")
    nbformat.validate(nbformat.from_dict(notebook))


@pytest.fixture
def write():
    numbers = Numbers(
        {"eq-a": "(3.1)", "fig-a-b": "Fig. 3.2", "ex-a": "Exercise 3.3", "tab-a": "Table 3.1"},
        {"eq-a": "03-x", "fig-a-b": "03-x", "ex-a": "03-x", "sec-x": "03-x", "tab-a": "03-x"},
        {"sec-x": "A title"},
    )
    return Plain(numbers, lambda page, label: f"{page}#{label}")


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("(sec-x)=\n# A title", "# A title"),
        ("See {ref}`sec-x` and {ref}`here <sec-x>`.", "See [A title](03-x#sec-x) and [here](03-x#sec-x)."),
        ("By {eq}`eq-a` and {numref}`fig-a-b`.", "By (3.1) and Fig. 3.2."),
        ("{cite:t}`chen2024holistic` say so.", "[Chen et al. (2024)](references#) say so."),
        ("So {cite:p}`chen2024holistic,hong2023towards`.", "So ([Chen et al., 2024; Hong et al., 2023](references#))."),
        ("$$\na = b\n$$ (eq-a)", "$$\na = b\n\\tag{3.1}\n$$"),
        ("$$\na = b\n$$", "$$\na = b\n$$"),
        ("```{exercise} Go\n:label: ex-a\n\nDo {eq}`eq-a`.\n```\nMore.", "### Exercise 3.3: Go\n\nDo (3.1).\nMore."),
        ("```{dropdown} Hint\nTry $x$.\n```", "<details>\n<summary>Hint</summary>\n\nTry $x$.\n\n</details>"),
        ("```{caution}\nOne.\nTwo.\n```", "> **Caution.**\n> One.\n> Two."),
        ("```{admonition} On Colab\n:class: note\nOne.\n```", "> **On Colab.**\n> One."),
        (
            "```{list-table} T.\n:name: tab-a\n:header-rows: 1\n\n* - A\n  - B\n* - $c$\n  - d\n```",
            "*Table 3.1. T.*\n\n| A | B |\n|---|---|\n| $c$ | d |",
        ),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
    ],
)
def test_markup_becomes_plain(write, text, wanted):
    assert write(text) == wanted


@pytest.mark.parametrize("text, error", [("{ref}`sec-none`", KeyError), ("```{glue} a\n```", ValueError)])
def test_what_is_not_known_is_said(write, text, error):
    with pytest.raises(error, match="sec-none|glue"):
        write(text)


def test_solutions_can_be_open(write):
    write.unfolded = ("Solution",)
    assert write("```{dropdown} Solution\nOne.\n```").startswith("<details open>")
    assert write("```{dropdown} Hint\nOne.\n```").startswith("<details>")


def test_links_lead_to_the_published_book():
    assert on_site("notation", "sec-a") == "https://holicam.github.io/holicam/book/notation.html#sec-a"


def test_an_explorer_becomes_its_picture():
    page = (
        '<figure class="cam-explorer" id="e" data-manifest="x.json">\n'
        '<img src="data:image/jpeg;base64,/9j=" width="2" height="2" alt="A &amp; B">\n'
        '<figcaption>Two maps. <span class="cam-explorer-hint">On the site</span></figcaption>\n</figure>'
    )
    outputs, said = still([{"output_type": "execute_result", "data": {"text/html": page, "text/plain": "E"}}])
    assert outputs[0]["data"] == {"image/jpeg": "/9j=", "text/plain": "E"} and said == "*Two maps.*"
    assert outputs[0]["metadata"]["image/jpeg"]["alt"] == "A & B"


def test_a_drawing_is_a_picture_of_twice_the_size():
    text = plain(CHAPTERS[0].notebook, WORDS)["cells"]
    raw = base64.b64decode(re.search(r"data:image/png;base64,([^)]+)", "".join(map(source, text)))[1])
    assert int.from_bytes(raw[16:20], "big") == 1360  # a PNG's width
