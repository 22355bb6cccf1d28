"""What a lecturer relies on: prerequisites without circles, a page that is current, notes to every chapter."""

import re
from xml.etree import ElementTree

import pytest

from tools.chapters import REFERENCE, load, prerequisites, reduced
from tools.notes import BULLET, PAGE, Notes
from tools.pages import graph, teaching
from tools.slides.plans import rows

CHAPTERS = load()
KNOWN = {c.label: c for c in CHAPTERS}
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.path.stem)


@each_chapter
def test_a_chapter_says_what_it_needs(chapter):
    """Every chapter but the first links to an earlier one; what it looks ahead to comes later."""
    needs = [KNOWN[n].number for n in chapter.needs if n in KNOWN]
    assert needs or chapter.number == 1, "You need: names no chapter"
    assert all(n < chapter.number for n in needs), f"needs a later chapter: {needs}; say that it looks ahead"
    assert all(KNOWN[n].number > chapter.number for n in chapter.looks_ahead)


@each_chapter
def test_a_chapter_says_what_it_teaches(chapter):
    assert chapter.question.rstrip().endswith("?")
    assert 3 <= len(chapter.objectives) <= 6
    assert 3 <= len(chapter.exercises) <= 5
    assert 5 <= chapter.minutes <= 45


def circle(needs: dict[str, list[str]]) -> list[str]:
    """The chapters that need each other in a circle; empty where there is none."""
    left = dict(needs)
    while free := [label for label, direct in left.items() if not any(n in left for n in direct)]:
        for label in free:
            del left[label]
    return sorted(left)


def test_prerequisites_have_no_circle():
    needs = prerequisites(CHAPTERS)
    assert set(needs) == set(KNOWN) and circle(needs) == []
    assert circle({**needs, "sec-from-scores-to-maps": ["sec-when-channels-disagree"]})  # the test can fail


def test_reduced_graph_leads_to_the_same_chapters():
    def below(label, needs):
        return {n for direct in needs[label] for n in (direct, *below(direct, needs))}

    needs = prerequisites(CHAPTERS)
    short = reduced(needs)
    assert all(below(label, needs) == below(label, short) for label in needs)
    assert reduced({"a": [], "b": ["a"], "c": ["a", "b"]}) == {"a": [], "b": ["a"], "c": ["b"]}


def test_lanes_do_not_meet():
    order = ["a", "b", "c", "d", "e"]
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b"], "e": ["c", "d"]}
    lane = graph.lanes(order, needs)
    assert lane == {"a": 0, "b": 1, "c": 2, "d": 3}  # b's line ends at d, c's passes it
    assert graph.lanes(["a", "b"], {"a": [], "b": []}) == {}


def without_seconds(page: str) -> str:
    """Run times change with every run, so the page need not be written again for them."""
    return re.sub(r"(?m)^(\| \d+ \|(?:[^|]*\|){3}) \S+ \|", r"\1 s |", page)


def test_page_and_drawing_are_current():
    page = teaching.PAGE.read_text(encoding="utf-8")
    assert without_seconds(page) == without_seconds(teaching.filled(page, CHAPTERS)), "run `make pages`"
    assert graph.PAGE.read_text(encoding="utf-8") == graph.draw(CHAPTERS)
    assert "| s |" in without_seconds(page)


def test_drawing_is_complete():
    root = ElementTree.fromstring(graph.draw(CHAPTERS))
    said = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(f"{c.number:02d} {c.title}" in said for c in CHAPTERS)
    wide, high = map(float, root.get("viewBox").split()[2:])
    assert wide <= 430, "too wide for a phone"
    rings = [e for e in root.iter("{http://www.w3.org/2000/svg}circle") if e.get("r") == "5.5"]
    assert len(rings) == len(CHAPTERS) and all(float(e.get("cy")) < high for e in rings)


@pytest.mark.parametrize("text", ["no marks", "% begin table\n\n% begin graph\n% end graph"])
def test_page_without_its_marks(text):
    with pytest.raises(ValueError, match="should mark"):
        teaching.filled(text, CHAPTERS)


def test_lecture_takes_ninety_minutes():
    assert sum(int(row[0]) for row in rows("One lecture")) == 90


@pytest.mark.parametrize("heading", ["One day", "One semester"])
def test_no_chapter_before_one_it_needs(heading):
    done, needs = set(), prerequisites(CHAPTERS)
    for number, chapters, *_ in rows(heading):
        now = REFERENCE.findall(chapters)
        for label in now:
            missing = set(needs[label]) - done - set(now)
            assert not missing, f"{heading}, {number}: {label} needs {sorted(missing)}"
        done |= set(now)
    if heading == "One semester":
        assert {c.label for c in CHAPTERS if c.number <= 19} <= done


def test_exercises_are_set_after_their_chapter():
    owner = {label: c.label for c in CHAPTERS for _, label in c.exercises}
    for heading in ("One day", "One semester"):
        done = set()
        for row in rows(heading):
            done |= set(REFERENCE.findall(row[1]))
            for label in re.findall(r"`(ex-[\w-]+)`", " ".join(row[2:])):
                assert owner[label] in done, f"{heading}: {label} is set before its chapter"


@each_chapter
def test_notes_to_a_chapter(chapter):
    """Title as in the chapter, misconceptions at sections that exist."""
    notes = Notes()
    assert f"## {chapter.number} {chapter.title}\n" in PAGE.read_text(encoding="utf-8")
    assert [block.split("**")[1] for block in notes.opening(chapter)] == ["Open with.", "Short of time."]
    found = notes.misconceptions(chapter)
    headings = [h.rstrip(".") for h in re.findall(r"^#{2,3} (.+)$", chapter.text, re.MULTILINE)]
    assert 3 <= len(found) <= 6 and all(name.rstrip(".") in headings for name, _ in found)
    assert sum(len(notes.of(chapter, h)) for h in headings) == len(found)


def test_a_note_needs_its_section():
    assert BULLET.match("- *No section.* Wrong.") is None
