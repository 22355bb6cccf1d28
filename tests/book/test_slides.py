"""Slides: every chapter, the lecture and the day has a deck, and what is marked is shown whole, with its outcome."""

import re

import pytest

from tests.helpers.slides import content, letters, pages, shown, words
from tools.chapters import load
from tools.ipynb import words_of
from tools.markup import EXERCISE
from tools.notes import Notes
from tools.prose_numbers import stands
from tools.slides.marks import marks
from tools.slides.plans import day, lecture
from tools.slides.text import inline, spoken
from tools.slides.verdicts import ledger

CHAPTERS = load()
IDS = [f"{chapter.number:02}" for chapter in CHAPTERS]
QUOTES = re.compile(r"(?<![Oo]n )\b(?:papers?|authors?)\b|\b[Pp]ublished\b|\bin print\b|[“”]")
RESULT = re.compile(r"−?\d[\d,]*\.\d+(?:\s?%)?|\d+\s?%")
ENOUGH = re.compile(r"<(?:img|pre|ul|ol|table)\b|\\\[")  # beside these a sentence is not alone


@pytest.fixture(scope="module")
def decks(slides):
    return pages(slides)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=IDS)
def test_deck(slides, decks, chapter):
    folder, slides = slides, decks[chapter.path.stem]
    page = "\n".join(slides)
    assert 14 <= len(slides) <= 24 and len(content(slides)) >= 9
    assert len({re.search(r"<h[12]>(.+)</h[12]>", slide)[1] for slide in slides}) == len(slides), "a title comes twice"
    assert letters(chapter.question.split("\n")[0]) in letters(slides[0])
    assert "What to remember" in slides[-1] and slides[-1].count("<li>") == len(chapter.bullets("Summary"))
    assert 3 <= page.count("<img ") == len(re.findall(r'<img src="[^"]+"[^>]* alt="[^"]{30,}"', page))
    assert all(slide.count("<img ") <= 1 for slide in slides)
    assert all((folder / path).stat().st_size for path in re.findall(r'<img src="([^"]+)"', page))
    leftover = re.findall(r"\{(?:ref|eq|numref|cite|picture|output)[^}]*\}|\]\(|```|(?<!\w)\*\*\w", shown(page))
    assert not leftover, f"markup that was not read: {leftover[:3]}"
    for _, said in Notes().misconceptions(chapter):
        assert spoken(inline(said))[:40] in page, f"the note {said!r} is on no slide"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=IDS)
def test_exercises_are_whole(decks, chapter):
    found = [letters(slide) for slide in decks[chapter.path.stem] if 'class="frame exercise"' in slide]
    tasks = EXERCISE.findall(chapter.text)
    assert len(found) == len(tasks)
    for slide, (_, title, _, body) in zip(found, tasks, strict=True):
        assert letters(title) in slide
        for sentence in re.split(r"(?<=[.?:])\n", body.strip()):
            plain = max((letters(part) for part in re.split(r"\{[\w:]+\}`[^`]*`|\$[^$]*\$|`|\*", sentence)), key=len)
            assert plain in slide, f"{title}: a part of the task is missing: {sentence}"
        assert "Solution" not in slide


@pytest.mark.parametrize("chapter", CHAPTERS, ids=IDS)
def test_no_sentence_stands_alone(decks, chapter):
    for slide in content(decks[chapter.path.stem]):
        sentences = len(re.findall(r"[.?!](?=[\s”)]|$)", words(slide, without_title=True)))
        assert sentences > 1 or ENOUGH.search(shown(slide)), f"one sentence alone: {words(slide)}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=IDS)
def test_no_claim_without_its_outcome(decks, chapter):
    """A slide that speaks of a paper, or quotes, says in a frame what was found."""
    for slide in content(decks[chapter.path.stem]):
        quoted = QUOTES.search(words(re.sub(r"<pre.*?</pre>", "", slide, flags=re.DOTALL)))
        assert not quoted or 'class="found"' in slide, f"{quoted[0]!r} and no outcome: {words(slide)}"


def test_claims_of_the_ledger_are_shown_with_their_verdicts(decks):
    """At least one claim in most chapters, and in its frame the verdict of each world in which it is asked."""
    framed = [letters(s) for chapter in CHAPTERS for s in decks[chapter.path.stem] if 'class="says"' in s]
    assert len(framed) >= 20
    told = {
        letters(inline(claim.says)): [letters(inline(s))[:24] for s in claim.outcomes] for claim in ledger().values()
    }
    for slide in framed:
        (outcomes,) = [those for says, those in told.items() if says in slide]
        assert outcomes and all(said in slide for said in outcomes)
    assert all(claim.outcomes or key.split(", ")[1] for key, claim in ledger().items())


@pytest.mark.parametrize("chapter", CHAPTERS, ids=IDS)
def test_results_stand_in_the_chapter(chapter):
    """A number on a slide is written as the chapter writes or prints it: after a run it cannot stay behind."""
    printed = "\n".join(words_of(o) for cell in chapter.notebook["cells"] for o in cell.get("outputs", ()))
    there = re.sub(r"(?<=\d)\s(?=%)", "", chapter.text + printed)
    for mark in marks(chapter):
        said = re.sub(r"\$[^$]*\$|^\{.+\}$", "", "\n".join([mark.title, *mark.lines]), flags=re.MULTILINE)
        for number in RESULT.findall(said):
            assert stands(re.sub(r"\s(?=%)", "", number)).search(there), (
                f"{number} in {mark.title!r} is not in the text"
            )


@pytest.mark.parametrize(("name", "plan", "minutes"), [("lecture", lecture, 90), ("day", day, 180)])
def test_decks_follow_the_plans(decks, name, plan, minutes):
    slides, steps = decks[name], plan()
    assert sum(step.minutes for step in steps) == minutes
    assert sum(map(int, re.findall(r'data-timing="(\d+)"', "".join(slides)))) == pytest.approx(60 * minutes, abs=60)
    assert f"to {minutes} of {minutes}" in "".join(slides)
    titles = {chapter.label: chapter.title for chapter in CHAPTERS}
    for step in steps:
        assert all(any(titles[label] in words(slide) for slide in slides) for label in step.chapters)
        assert step.chapters or step.tasks
    tasks = {label: letters(title) for chapter in CHAPTERS for _, title, label, _ in EXERCISE.findall(chapter.text)}
    own = [letters(slide) for slide in slides if 'class="frame exercise"' in slide]
    for label, slide in zip((label for step in steps for label in step.tasks), own, strict=True):
        assert tasks[label] in slide
    fewest = {"lecture": 35, "day": 60}[name]
    assert fewest <= sum('class="frame "' in slide for slide in slides)
    seconds = [int(n) for n in re.findall(r'data-timing="(\d+)"', "".join(slides))]
    assert min(seconds) >= 40, "a slide has less than forty seconds"


def test_nothing_is_loaded_from_elsewhere(slides):
    for page in slides.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r'(?:src|href)="([^"#]+)"', text):
            assert "//" not in path and (slides / path).exists(), f"{page.name}: {path}"
    assert (slides / "reveal" / "LICENSE").read_text(encoding="utf-8").count("Permission is hereby granted")
