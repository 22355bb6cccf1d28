"""What helps to read the built site: numbered chapters, folded parts and notes, enlarged figures, wide formulas."""

import re

import pytest

from tests.helpers.browser import SITE
from tools.chapters import CORE, NOTES, load

CHAPTERS = load()


def html(chapter) -> str:
    return (SITE / "book" / f"{chapter.path.stem}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.path.stem)
def test_a_chapter_is_numbered_wherever_it_is_named(chapter):
    page = html(chapter)
    title = re.escape(re.sub(r"[^\w +-].*", "", chapter.title))  # up to what is written otherwise in HTML
    assert re.search(rf'<h1><span class="section-number">{chapter.number}\. </span>{title}', page)
    sidebar = (SITE / "book" / "intro.html").read_text(encoding="utf-8")
    assert re.search(rf'href="{chapter.path.stem}\.html">\s*{chapter.number}\. {title}', sidebar)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.path.stem)
def test_paper_notes_are_folded(chapter):
    page, there = html(chapter), NOTES in chapter.sections
    assert page.count('<details class="paper-notes">') == there
    if there:
        notes = page.partition('<details class="paper-notes">')[2].partition('</section>\n<section id="sources">')[0]
        assert notes.rstrip().endswith("</details>") or notes.count("</details>") >= 1


def test_the_core_path_leads_through_the_book():
    marked = [chapter for chapter in CHAPTERS if 'class="core-path"' in html(chapter)]
    assert [chapter.number for chapter in marked] == list(CORE)
    named = {chapter.number: chapter.path.stem for chapter in marked}
    for place, chapter in enumerate(marked[:-1], 1):
        line = re.search(r'<p class="core-path">(.*?)</p>', html(chapter))[1]
        assert f"{place} of {len(CORE)}" in line and f'href="{named[CORE[place]]}.html"' in line


def test_parts_fold_and_the_reader_s_own_is_open(visit):
    page = visit("book/04-positive-gradients.html").page
    parts = page.evaluate(
        "[...document.querySelectorAll('details.part')].map(e => [e.innerText.split('\\n')[0], e.open])"
    )
    assert len(parts) >= 8 and [name for name, is_open in parts if is_open] == ["Holistic-CAM"]
    page.click("details.part:not([open]) summary")
    assert page.evaluate("document.querySelectorAll('details.part[open]').length") == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_figure_is_enlarged_and_put_back(visit, theme):
    page = visit("book/01-from-scores-to-maps.html", theme).page
    page.set_viewport_size({"width": 1280, "height": 900})
    figures = page.query_selector_all("img.can-enlarge")
    assert len(figures) >= 4 and all(figure.get_attribute("tabindex") == "0" for figure in figures)
    before = figures[0].bounding_box()["width"]
    figures[0].focus()
    page.keyboard.press("Enter")
    shown = page.wait_for_selector("dialog.enlarged[open] img")
    assert shown.bounding_box()["width"] > 1.2 * before
    assert page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog.enlarged[open], dialog.enlarged img')", timeout=10_000)
    assert figures[0].bounding_box()["width"] == pytest.approx(before, abs=1)


def test_a_wide_formula_is_set_smaller_and_code_says_that_it_scrolls(visit):
    page = visit("book/06-the-low-pass-wrap.html").page
    draw = r"""async width => {
        const math = document.createElement("div"); math.className = "math notranslate nohighlight";
        math.textContent = String.raw`\[x = ` + "a + ".repeat(width) + String.raw`b\]`; math.id = "wide" + width;
        document.querySelector(".bd-article section").append(math);
        await MathJax.typesetPromise([math]); }"""
    for width in (11, 60):
        page.evaluate(draw, width)
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function("document.querySelector('#wide60').classList.contains('scrolls')", timeout=10_000)
    size = "id => parseFloat(getComputedStyle(document.querySelector(id + ' mjx-container')).fontSize)"
    page.evaluate(draw, 1)
    plain = page.evaluate(size, "#wide1")
    assert plain > page.evaluate("parseFloat(getComputedStyle(document.querySelector('.bd-article p')).fontSize)")
    assert 0.69 * plain < page.evaluate(size, "#wide11") < plain, "set smaller, and no smaller than can be read"
    inside = (
        "id => { const e = document.querySelector(id + ' mjx-container'); return e.scrollWidth <= e.clientWidth + 1 }"
    )
    assert page.evaluate(inside, "#wide11") and not page.evaluate(inside, "#wide60")
    assert page.evaluate("[...document.querySelectorAll('pre.scrolls')].every(e => e.tabIndex == 0)")


def test_a_table_that_is_too_wide_becomes_a_list_with_its_columns_names(visit):
    page = visit("book/published-tables.html").page
    draw = """([id, columns]) => {
        const cells = (tag, text) => Array.from({length: columns}, (_, i) => `<${tag}>${text}${i}</${tag}>`).join("");
        const box = document.createElement("div"); box.className = "pst-scrollable-table-container";
        box.innerHTML = `<table class="table" id="${id}"><thead><tr>${cells("th", "column")}</tr></thead>`
            + `<tbody><tr>${cells("td", "value")}</tr></tbody></table>`;
        document.querySelector(".bd-article section").append(box); }"""
    page.set_viewport_size({"width": 1280, "height": 900})
    for id_, columns in (("few", 2), ("some", 4), ("many", 7)):
        page.evaluate(draw, [id_, columns])
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_selector("#many.stacked", timeout=10_000)
    kinds = page.evaluate("['few', 'some', 'many'].map(id => document.getElementById(id).className)")
    assert kinds == ["table", "table tight", "table tight stacked"]
    assert "column6" in page.inner_text("#many tbody td:last-child") and page.inner_text("#many td") == "value0"
    box = "e => [e.parentElement.scrollWidth, e.parentElement.clientWidth]"
    wide, room = page.eval_on_selector("#many", box)
    assert wide <= room + 1
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_selector("#many:not(.stacked)", timeout=10_000)
    assert "column" not in page.inner_text("#many tbody")


def test_the_number_of_a_wide_formula_stands_below_it(visit):
    page = visit("book/14-insertion-and-deletion.html").page
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_selector("#equation-eq-games.number-below", timeout=10_000)
    formula, number = (
        page.eval_on_selector(
            f"#equation-eq-games {part}", "e => [e.getBoundingClientRect().top, e.scrollWidth - e.clientWidth]"
        )
        for part in ("mjx-container", ".eqno")
    )
    assert formula[0] < number[0] and formula[1] <= 1
