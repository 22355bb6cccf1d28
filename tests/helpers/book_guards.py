"""What a stored chapter must satisfy. A guard takes a notebook and returns its complaints.

`tests/book/test_book.py` holds every chapter against them; `tests/book/test_book_guards.py` shows that each
guard can fail.
"""

import re
from statistics import median

from tools.chapters import BOX, NOTES
from tools.chapters import words as counted
from tools.ipynb import CODE_BLOCK, PICTURE, code_cells, figure, prose, source, tags, texts, words_of

WORDS = (900, 1700)  # without what is folded: boxes, hints, solutions, paper notes
CELLS = (10, 18)
LINES, MEDIAN_LINES, COLUMNS = 25, 10, 79  # the median without checks, which are folded, and knobs
PICTURE_KB, CHAPTER_KB = 300, 1200
FIRST_LINES = ("import holicam as hc", "hc.setup(seed=0)")
HEADINGS = ("Exercises", "Summary", "Sources")
BOXES = ("You will be able to", "You need")
# What a heading is not: the place of a section in a scheme. A heading says what is found.
SCHEME = re.compile(
    r"(Question|Idea in a picture|Maths|From scratch|The same (thing )?with|Experiment|When it fails"
    r"|Strengths|On photographs$|Results?$|Method$|Introduction|Conclusions?)\b"
)
# Prose speaks of ideas, not of the cells beside it.
OF_CELLS = re.compile(
    r"\b((next|following|previous|last|first|second|same|this|each) cell[s]?\b(?! of)|cell (above|below)"
    r"|[Ii]t prints nothing|[Pp]rints nothing|[Nn]o assertion fails|papers? stands? in)"
)
NUMBERS = 3  # results that stand in the text with their number, read from what was printed (tools/prose_numbers.py)
FORBIDDEN_WORDS = re.compile(r"\b(simply|obviously)\b", re.IGNORECASE)
FORBIDDEN_TAGS = {"raises-exception", "nbval-skip", "nbval-raises-exception"}
# Directives that Jupyter Book 2 does not know, or that hide text from readers elsewhere.
FORBIDDEN_MARKUP = re.compile(
    r"\{(eval-rst|glue[^}]*|exercise-(?:start|end)|solution-(?:start|end)"
    r"|margin|raw)\}"
)
LABEL = re.compile(r"^\(([^)\s]+)\)=\s*$|^:label:\s*(\S+)|\$\$\s*\(([^)\s]+)\)\s*$", re.MULTILINE)
LABEL_KINDS = ("sec-", "eq-", "fig-", "ex-", "def-", "sol-", "tab-")
ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|cf|vs|etc|al|Figs?|Eqs?|Sec|Tab|No|approx|[A-Z])\.$")


def kilobytes(base64_text: str | list[str]) -> float:
    return len("".join(base64_text).strip()) * 3 / 4 / 1000


def ran_in_order(notebook):
    counts = [c["execution_count"] for c in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells are not run in order from 1: execution counts {counts}"


def no_errors(notebook):
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"cell {number} ends in {output['ename']}"
            if output.get("name") == "stderr":
                yield f"cell {number} writes to stderr: {''.join(output['text'])[:80]!r}"
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                yield f"cell {number} holds a widget, which is dead on the site"
            if re.search(r"0x[0-9a-f]{6,}", words_of(output)):
                yield f"cell {number} prints a memory address"
        if bad := FORBIDDEN_TAGS & set(tags(cell)):
            yield f"cell {number} escapes the gate by the tag {sorted(bad)}"


def short_cells(notebook):
    cells = [source(c).rstrip("\n").split("\n") for c in code_cells(notebook)]
    practice = {"exercise", "solution", "check", "knob"}
    count = sum(not practice & set(tags(c)) for c in code_cells(notebook))
    if not CELLS[0] <= count <= CELLS[1]:
        yield f"{count} code cells without exercises and knobs; {CELLS[0]} to {CELLS[1]} are allowed"
    written = [
        lines for c, lines in zip(code_cells(notebook), cells, strict=True) if not {"check", "knob"} & set(tags(c))
    ]
    if written and median(map(len, written)) > MEDIAN_LINES:
        yield f"the median code cell has {median(map(len, written))} lines, more than {MEDIAN_LINES}"
    for number, lines in enumerate(cells, 1):
        if not any(line.strip() for line in lines):
            yield f"cell {number} is empty"
        if len(lines) > LINES:
            yield f"cell {number} has {len(lines)} lines, more than {LINES}"
        for line in lines:
            if len(line) > COLUMNS:
                yield f"cell {number} has a line of {len(line)} columns: {line[:40]!r}"
            if line.lstrip().startswith(("%", "!")):
                yield f"cell {number} holds a magic or a shell command: {line!r}"
        if lines[-1].rstrip().endswith(";"):
            yield f"cell {number} ends in ';': write _ = ... instead"


def first_cell(notebook):
    lines = [s for s in source(code_cells(notebook)[0]).split("\n") if s.strip()]
    if tuple(lines[:2]) != FIRST_LINES or len(lines) < 3 or not lines[2].startswith("model"):
        yield f"the first code cell begins {lines[:3]}, not {[*FIRST_LINES, 'model ...']}"


def pictures(notebook):
    for number, cell in enumerate(code_cells(notebook), 1):
        data = [o["data"] for o in cell["outputs"] if "data" in o]
        if any(kind.startswith("image/") and kind != PICTURE for d in data for kind in d):
            yield f"cell {number} stores a picture that is no JPEG"
        shown = [d[PICTURE] for d in data if PICTURE in d]
        for picture in shown:
            if (size := kilobytes(picture)) > PICTURE_KB:
                yield f"cell {number} has a picture of {size:.0f} kB; {PICTURE_KB} are allowed"
        if len(shown) > 1:
            yield f"cell {number} shows {len(shown)} pictures; one has a caption, so one is allowed"
        if shown:
            yield from (f"cell {number}: {said}" for said in picture_words(cell))


def picture_words(cell):
    alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
    caption, name = (figure(cell).get(k, "") for k in ("caption", "name"))
    if len(alt) < 30:
        yield f"the alt text is missing or too short to tell what is seen: {alt!r}"
    if len(caption) < 30:
        yield f"the caption is missing or states no finding: {caption!r}"
    if alt.strip() == caption.strip():
        yield "alt text and caption are the same; one says what is seen, the other what it means"
    if not re.fullmatch(r"fig(-[a-z0-9]+){2,}", name):
        yield f"the figure's name is {name!r}, not fig-<chapter>-<what>"


def sentences(notebook):
    for markdown in texts(notebook):
        kept = CODE_BLOCK.sub("", markdown)
        kept = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`", "x", kept, flags=re.DOTALL)
        for line in kept.split("\n"):
            if re.match(r"\s*(?:[-*>]\s|[|:#]|\d+\.|`{3}|!\[)", line):
                continue  # lists, tables, options, headings, directives
            # A few bold words, **Strengths.**, may open a line.
            line = re.sub(r"^\*\*(?:[\w,-]+ ?){1,4}\.\*\* ", "", line)
            for end in re.finditer(r"[.!?][*_\")’”]*\s+(?=[*_\"(“]*[A-Z])", line):
                if not ABBREVIATION.search(line[: end.start() + 1]):
                    yield f"two sentences on one line: {line[:90]!r}"
                    break


def words(notebook):
    count = counted(notebook, (NOTES,))
    if not WORDS[0] <= count <= WORDS[1]:
        yield f"{count} words; {WORDS[0]} to {WORDS[1]} are allowed"
    everything = "\n".join(map(prose, texts(notebook)))
    for bad in FORBIDDEN_WORDS.findall(everything):
        yield f"the word {bad!r}: what is plain to the writer may not be to the reader"
    for bad in OF_CELLS.finditer(everything):
        yield f"{bad[0]!r}: say what is done or found, not in which cell"
    given = sum(len(cell["metadata"].get("numbers", {})) for cell in notebook["cells"])
    if given < NUMBERS:
        yield f"{given} results stand with their number in the text; at least {NUMBERS} should (tools/prose_numbers.py)"


def markup(notebook):
    everything = "\n".join(texts(notebook))
    for bad in FORBIDDEN_MARKUP.findall(everything):
        yield f"the directive or role {bad!r} is not known to Jupyter Book 2"
    for label in (next(filter(None, groups)) for groups in LABEL.findall(everything)):
        if not label.startswith(LABEL_KINDS):
            yield f"the label {label!r} does not begin with one of {', '.join(LABEL_KINDS)}"
    titles = re.findall(r"^# (.+)$", CODE_BLOCK.sub("", everything), re.MULTILINE)
    if len(titles) != 1:
        yield f"a chapter has one title, not {titles}"
    found = re.findall(r"^#{2,3} (.+)$", everything, re.MULTILINE)
    for wanted in HEADINGS:
        if wanted not in found:
            yield f"there is no section {wanted!r}"
    for heading in filter(SCHEME.match, found):
        yield f"the heading {heading!r} names a part of a scheme: say what is found there"
    boxes = [title for _, title, _ in BOX.findall(everything)]
    for wanted in BOXES:
        if boxes.count(wanted) != 1:
            yield f"one folded box is called {wanted!r}, not {boxes.count(wanted)}"
    if NOTES in found and found[found.index(NOTES) :] != [NOTES, *_below(everything, NOTES), "Sources"]:
        yield f"after {NOTES!r} come its own sections, and the sources"


def _below(markdown, section):
    """The headings of the third level below one of the second."""
    body = re.split(rf"^## {section}$", markdown, flags=re.MULTILINE)[1]
    return re.findall(r"^### (.+)$", re.split(r"^## ", body, flags=re.MULTILINE)[0], re.MULTILINE)


GUARDS = (ran_in_order, no_errors, short_cells, first_cell, pictures, sentences, words, markup)
