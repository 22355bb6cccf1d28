"""The book on paper: two pages are printed, with bookmarks, page numbers and links, and nothing is asked elsewhere."""

from __future__ import annotations

import re

import pytest

from tests.helpers.browser import SITE, chromium
from tools import pdf

PAGES = ("book/which-method.html", "book/cite.html")
pytestmark = pytest.mark.skipif(not all((SITE / page).exists() for page in PAGES), reason="run `make book` first")


def flat(outline: list, depth: int = 0) -> list[tuple[int, str]]:
    """(depth, title) of all bookmarks."""
    found = []
    for item in outline:
        found += flat(item, depth + 1) if isinstance(item, list) else [(depth, str(item.title))]
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    pypdf = pytest.importorskip("pypdf")
    if chromium() is None:
        pytest.skip("no Chromium found")
    file = tmp_path_factory.mktemp("pdf") / "two.pdf"
    entries = [entry for entry in pdf.contents() if entry.file in PAGES]
    assert [entry.file for entry in entries] == list(PAGES)
    foreign = pdf.book(entries, file)
    return pypdf.PdfReader(file), foreign


def test_nothing_is_asked_of_another_host(printed):
    reader, foreign = printed
    assert foreign == []
    links = [
        str(link.get_object().get("/A", {}).get("/URI", ""))
        for page in reader.pages
        for link in page.get("/Annots", [])
    ]
    assert not any("127.0.0.1" in link for link in links)


def test_pages_are_numbered_and_in_order(printed):
    reader, _ = printed
    texts = [page.extract_text() for page in reader.pages]
    assert 3 <= len(texts) <= 12
    for number, text in enumerate(texts, 1):
        assert re.search(rf"(?:^|\n)\s*{number}\s*$", text), f"page {number} ends with {text[-40:]!r}"
    first = [i for i, text in enumerate(texts) if "Which method should I use?" in text]
    last = [i for i, text in enumerate(texts) if "Cite this book" in text]
    assert first[0] == 0 and last[-1] > first[0]


def test_bookmarks_are_parts_titles_and_sections(printed):
    reader, _ = printed
    found = flat(reader.outline)
    titles = [title for _, title in found]
    assert titles[:2] == ["Gallery", "Which method should I use?"]
    assert (0, "Reference") in found and (1, "Cite this book") in found
    assert (2, "What is undecided") in found and all(depth <= 2 for depth, _ in found)


def test_a_heading_is_named_once(printed):
    reader, _ = printed
    titles = [title for _, title in flat(reader.outline)]
    assert len(set(titles)) == len(titles) and not any(title == 2 * title[: len(title) // 2] for title in titles)
    assert "Contents" not in titles
    assert [pdf.once(title) for title in ("What isWhat is", "What is", "", "aa")] == ["What is", "What is", "", "a"]


def test_a_site_that_is_not_built_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no book/intro.html: run `make book` first"):
        pdf.book(pdf.contents()[:1], tmp_path / "a.pdf", site=tmp_path)


def test_the_contents_are_those_of_the_book():
    entries = pdf.contents()
    assert entries[0] == pdf.Entry("book/intro.html", "") and len({entry.file for entry in entries}) == len(entries)
    numbered = [entry.file for entry in entries if re.match(r"book/\d\d-", entry.file)]
    assert numbered == sorted(numbered) and len(numbered) >= 24
