"""Which places the pages of the printed book link to."""

from tools.pdf_links import resolved, wanted


def test_paths_are_those_below_the_site():
    assert resolved("book/a.html", "b.html") == "book/b.html"
    assert resolved("book/a.html", "../index.html") == "index.html"
    assert resolved("book/a.html", "") == "book/a.html"


def test_places_are_wanted_by_other_pages_of_the_book_only(tmp_path):
    (tmp_path / "book").mkdir()
    links = ("#own", "b.html#there", "b.html#there?x=1", "b.html", "c.html#gone", "https://other.org/b.html#far")
    text = "".join(f'<a href="{link}">x</a>' for link in links)
    for name in "ab":
        (tmp_path / "book" / f"{name}.html").write_text(text if name == "a" else "", encoding="utf-8")
    files = ["book/a.html", "book/b.html"]
    assert wanted(files, tmp_path) == {"book/a.html": [], "book/b.html": ["there"]}
