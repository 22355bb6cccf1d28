"""The prerequisite graph as a drawing: one row a chapter, one line down the side for each that others need.

A vertical list stays readable on a phone, whatever the number of chapters. A chapter's line starts
at its ring and ends at the last chapter that needs it; a branch with an arrow leads to each of them.
Links that follow from others are left out.
"""

from html import escape

from tools.chapters import Chapter, load, prerequisites, reduced
from tools.ipynb import BOOK
from tools.pages import GREY, PAPER, svg

PAGE = BOOK / "figures" / "prerequisites.svg"
WIDTH, ROW, HEAD, LEFT, TOP = 420, 26, 30, 18, 8
LANE, LANES = 17, 104  # a lane's width, and that of all lanes: many lanes are drawn closer
COLOURS = ("#0072b2", "#b84a00", "#00775a", "#9c3f78", "#8a6d00", "#4a4a9a", "#23252b")


def lanes(order: list[str], needs: dict[str, list[str]]) -> dict[str, int]:
    """Label of each chapter that others need -> its lane, counted from the left, right of what it needs itself.

    Two chapters share a lane only where the one's line ends above the other's ring.
    """
    row = {label: i for i, label in enumerate(order)}
    last = {label: max((row[n] for n in order if label in needs[n]), default=-1) for label in order}
    lane: dict[str, int] = {}
    for label in order:
        if last[label] < 0:
            continue
        free = 1 + max((lane[n] for n in needs[label]), default=-1)
        while any(lane[other] == free and last[other] >= row[label] for other in lane):
            free += 1
        lane[label] = free
    return lane


def told(chapters: list[Chapter]) -> str:
    """The graph as one sentence, for those who cannot see the drawing."""
    number = {c.label: c.number for c in chapters}
    needs = reduced(prerequisites(chapters))
    said = [
        f"{c.number} needs {' and '.join(str(number[n]) for n in needs[c.label])}" for c in chapters if needs[c.label]
    ]
    return "A list of the chapters with a line from each to those that need it: " + ", ".join(said) + "."


def draw(chapters: list[Chapter]) -> str:
    """The drawing as SVG text; the same chapters give the same text."""
    needs = reduced(prerequisites(chapters))
    order = [c.label for c in chapters]
    lane = lanes(order, needs)
    count = 1 + max(lane.values(), default=0)
    step = min(LANE, LANES / count)
    ring = LEFT + step * count  # where chapters stand that nobody needs
    x = {label: LEFT + step * lane[label] if label in lane else ring for label in order}
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(lane)}
    y, words, part, at = {}, [], None, TOP
    for c in chapters:
        if c.part != part:
            part, at = c.part, at + HEAD
            words.append(f'<text x="{ring + 18:g}" y="{at - 8}" font-size="13" fill="{GREY}">{escape(part)}</text>')
        y[c.label], at = at + ROW // 2, at + ROW
        words += [
            f'<text x="{ring + 18:g}" y="{y[c.label] + 5}"><tspan fill="{GREY}">{c.number:02d}</tspan> '
            f"{escape(c.title)}</text>",
            f'<text x="{WIDTH - 12}" y="{y[c.label] + 5}" font-size="13" fill="{GREY}" text-anchor="end">'
            f"{c.minutes} min</text>",
        ]
    lines, rings, end = [], [], dict(y)
    for label in order:
        apart = min(7, 18 / max(1, len(needs[label]) - 1))  # branches into one ring
        for i, need in enumerate(sorted(needs[label], key=lambda n: x[n])):
            end[need] = level = y[label] + apart * (i - (len(needs[label]) - 1) / 2)
            tip, room = x[label] - 7, x[label] - x[need] > 14  # lanes too close for an arrow's head get none
            lines += [
                f'<path d="M{x[need]:g} {level:g}H{tip - 4 * room:g}" stroke="{colour[need]}"/>',
                f'<path d="M{tip:g} {level:g}l-6 -4v8z" fill="{colour[need]}" stroke="none"/>' * room,
                f'<circle cx="{x[need]:g}" cy="{level:g}" r="{3 if room else 2}" fill="{colour[need]}" stroke="none"/>',
            ]
        rings.append(
            f'<circle cx="{x[label]:g}" cy="{y[label]}" r="5.5" fill="{PAPER}" stroke="{colour.get(label, GREY)}"/>'
        )
    for label in lane:
        lines += [
            f'<path d="M{x[label]:g} {y[label]}V{end[label]:g}" stroke="{colour[label]}"/>',
            f'<path d="M{x[label]:g} {y[label]}H{ring + 12:g}" stroke="{colour[label]}" stroke-dasharray="1 4"/>',
        ]
    drawn = ['<g fill="none" stroke-width="2">', *(f" {line}" for line in lines + rings if line), "</g>", *words]
    return svg(WIDTH, at + 12, 15, "Which chapter needs which", told(chapters), drawn) + "\n"


def page() -> list[str]:
    """The drawing, line by line."""
    return draw(load()).split("\n")
