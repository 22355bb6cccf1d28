"""The parts of a claim as the ledger prints them: a sentence for each world, and a table of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holicam.experiments.verdicts import WORDS
from tools.pages.asked import Part
from tools.pages.judging import WORLDS, Answer, rule
from tools.pages.shelf import Set, Shelf, Term

FOLD = 3  # parts that stand open; more are folded
HEADS = ("asked", "layer", "measure", "n", "found, 95 %", "p", "in print", "nothing within", "verdict")
SHARED = (1, 2, 7)  # of HEADS: what may stand above the table
NOTHING = {"", "–"}


def signed(value: float) -> str:
    """+0.031"""
    return f"{value + 0.0:+.3f}"


def named(term: Term, other: Term | None) -> str:
    """A term, with what it does not share with the other."""
    said = f"`{term.label}`"
    if other is not None and term.metric != other.metric:
        said = f"`{term.metric}`" if term.label == other.label else f"{said} `{term.metric}`"
    if other is not None and term.layer != other.layer:
        said += f" at `{term.layer}`"
    return said


def contrast(part: Part) -> str:
    """ "`Holistic-CAM` − `Grad-CAM` > 0" """
    if part.one is None:
        said = "slope on the printed cells"
    else:
        said = named(part.one, part.other)
        if part.other is not None:
            said += f" − {named(part.other, part.one)}"
            if part.one.label == part.other.label and part.one.metric != part.other.metric:
                said = f"`{part.one.label}`: {said}"  # named once, for neither term says it
    direction, against = part.test["direction"], part.test.get("against", 0)
    if direction == "same":
        return f"{said} within ±{rule(part).within:.3g}"
    return f"{said} {'>' if direction == 'more' else '<'} {against:g}"


def seen(answer: Answer) -> str:
    """How many images have a value, and how many have none; before all are there, how many of the planned ones are."""
    if answer.there < answer.planned:
        return f"{answer.there} of {answer.planned}"
    without = answer.there - answer.difference.n
    return f"{answer.difference.n}, {without} without" if without else str(answer.difference.n)


def row(answer: Answer) -> list[str]:
    """The cells of a part, in the order of HEADS."""
    part, found, against = answer.part, answer.difference, float(answer.part.test.get("against", 0))
    value = "–"
    if found.n:
        value = signed(found.mean + against)
        if np.isfinite(found.low):
            value += f" [{signed(found.low + against)}, {signed(found.high + against)}]"
    p = "–" if answer.p is None else "< 0.001" if answer.p < 0.001 else f"{answer.p:.3f}"
    printed = "–" if part.printed is None else "level" if part.printed == 0 else signed(part.printed)
    within = rule(part).within
    nothing = "–" if within is None else f"±{within:.3g}"
    verdict = WORDS[answer.verdict]
    if answer.needed is not None:
        more = f"n needed {answer.needed:,}"
        verdict += f", {more if answer.needed > answer.there else f'more than {answer.there:,} needed'}"
    both = part.one is not None and part.other is not None
    layer = "" if both and part.one.layer != part.other.layer else part.layer
    metric = "" if both and part.one.metric != part.other.metric else part.metric
    return [contrast(part), code(layer), code(metric), seen(answer), value, p, printed, nothing, verdict]


def code(word: str) -> str:
    """`word`, or nothing for nothing."""
    return f"`{word}`" if word else ""


def table(answers: Sequence[Answer]) -> list[str]:
    """The parts, a line each; above them stands what is the same in all, and a column that says nothing is left out."""
    rows = [row(answer) for answer in answers]
    said = [{cells[i] for cells in rows} for i in range(len(HEADS))]
    same = [i for i in SHARED if len(rows) > 1 and len(said[i]) == 1 and said[i].isdisjoint(NOTHING)]
    kept = [i for i in range(len(HEADS)) if said[i] - NOTHING and i not in same]
    lines = [[HEADS[i] for i in kept], ["---"] * len(kept), *([cells[i] for i in kept] for cells in rows)]
    above = ", ".join(f"{HEADS[i]} {rows[0][i]}" for i in same)
    return [*([f"Everywhere {above}.", ""] if above else []), *(f"| {' | '.join(cells)} |" for cells in lines)]


def sentence(world: str, verdict: str, answers: Sequence[Answer]) -> str:
    """ "**Toyland: undecided.** 32 parts: 3 holds, 29 undecided; 80 of 250 images so far." """
    said = f"**{WORLDS[world]}: {WORDS[verdict]}.**"
    if not answers:
        return said
    verdicts = [answer.verdict for answer in answers]
    counts = {word: verdicts.count(key) for key, word in WORDS.items() if key in verdicts}
    said += f" {len(answers)} parts" if len(answers) > 1 else " One part"
    if len(counts) > 1:
        said += f": {', '.join(f'{count} {word}' for word, count in counts.items())}"
    short = sorted({(a.there, a.planned, kind(a)) for a in answers if a.there < a.planned})
    for there, planned, what in short:
        said += f"; {there or 'none'} of {planned} {what} so far"
    return said + "."


def kind(answer: Answer) -> str:
    """What is counted."""
    return "mosaics" if answer.part.test.get("cluster") == "mosaic" else "images"


def settings(answers: Sequence[Answer], sizes: dict[str, int], shelf: Shelf) -> str:
    """The network, which rows under which protocol, and how many parts are adjusted together; of one network."""
    said = [f"`{answers[0].part.test['network']}`"]
    for test in {id(answer.part.test): answer.part.test for answer in answers}.values():
        names = " and ".join(f"`{name}`" for name in test["rows"])
        one = f"rows {names}{protocol(shelf.known(test['rows'][0]))}"
        said += [one] if one not in said else []
    families = dict.fromkeys(answer.part.test["family"] for answer in answers)
    counted = ", ".join(f"{sizes[name]} in *{name}*" for name in families)
    return f"{'; '.join(said)}. Parts adjusted together: {counted}."


def protocol(known: Set) -> str:
    """What a configuration says of how its rows are made."""
    if known.config is None:
        return ""
    size = f", {known.config.dataset['size']} pixels" if "size" in known.config.dataset else ""
    return f"{size}, protocol `{known.config.protocol}`, target {known.config.target}"
