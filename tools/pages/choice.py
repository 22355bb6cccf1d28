"""The drawing of book/which-method.md: questions from above to below and their answers, as narrow as a phone's page."""

from __future__ import annotations

from html import escape

import holicam as hc
from tools.ipynb import BOOK
from tools.pages.dots import BLUE, GREY, INK, PAPER
from tools.pages.stored_rows import FAST, against, levels, number

PAGE = BOOK / "figures" / "which-method.svg"
WIDTH, LEFT, LINE, GAP = 460, 40, 19, 12
WORDS = {"more": "surely more", "less": "surely less", "equivalent": "equivalent", "undecided": "undecided"}


def price(label: str) -> float:
    """What a map costs in F by counting, a backward pass as one; of Holistic-CAM also with four sizes."""
    kinds = {hc.explainers[name].__name__: name for name in hc.explainers}
    name = (
        "holistic-cam"
        if label == FAST
        else kinds.get(label)
        or next(name for name in hc.explainers if name.replace("-", "") == label.lower().replace("-", ""))
    )
    about = hc.info(name)
    total = about.forwards + about.backwards
    if label == FAST:
        few, all_ = (sum(s * s for s in hc.HolisticCAM(preset=word).scales) for word in ("fast", "default"))
        total *= few / all_
    return total


def said(label: str) -> str:
    return f"{price(label):,.0f} F"


def alike(method: str, stage: int) -> str:
    """How alike the maps of two classes are."""
    found = levels("structure-photographs", stage, "class-other").get(method)
    return "two classes not compared" if found is None else f"maps of two classes correlate {number(found.mean)}"


def beside(one: str, other: str, stage: int, rows: str, metric: str, name: str, with_n: bool = False) -> str:
    """What one method scores more than another, and whether that is sure."""
    found = against(rows, metric, one, (other,)).get((other, stage))
    if found is None:
        return f"not compared with {other}"
    gap, word = found
    count = f" (n {gap.n})" if with_n else ""
    return f"{name} {number(gap.mean, sign=True)} to {other}: {WORDS[word]}{count}"


def better(one: str, other: str, stage: int) -> str:
    return beside(one, other, stage, "photographs-over-all", "over-all", "Over-all")


def quarter(one: str, other: str, stage: int) -> str:
    return beside(one, other, stage, "photographs-pointing", "grid-pointing", "right quarter", with_n=True)


def steps() -> list[tuple[str, str, list[tuple[str, list[str]]]]]:
    """(question, what leads on below it, [(answer's word, lines of its box)])."""
    return [
        (
            "Can you get gradients of the network?",
            "yes",
            [("no", ["RISE, or occlusion", f"{said('RISE')}, {said('Occlusion')}; asks the network, needs no more"])],
        ),
        (
            "Is it a transformer?",
            "no",
            [
                (
                    "yes",
                    ["LeGrad, or Grad-CAM on its tokens", f"{said('LeGrad')}, {said('Grad-CAM')}; not compared here"],
                )
            ],
        ),
        (
            "Must the map add up to the score?",
            "no",
            [("yes", ["integrated gradients", f"{said('IntegratedGradients')}; fine and noisy"])],
        ),
        (
            "What do you want to see?",
            "then",
            [
                ("where a class is", ["Grad-CAM at the last stage", f"{said('Grad-CAM')}; {alike('Grad-CAM', 3)}"]),
                (
                    "the same, whatever it costs",
                    ["CAMERAS at the last stage", f"{said('CAMERAS')}; {better('CAMERAS', 'Grad-CAM', 3)}"],
                ),
                ("details", ["Layer-CAM at the first stage", f"{said('Layer-CAM')}; {alike('Layer-CAM', 0)}"]),
                (
                    "details of one thing among several",
                    [
                        "Holistic-CAM, fast, at the first stage",
                        f"{said(FAST)}; {alike('Holistic-CAM', 0)}",
                        quarter(FAST, "Layer-CAM", 0),
                    ],
                ),
            ],
        ),
    ]


LAST = ("Before you believe it:", "ask for another class, forget the weights,", "put an edge detector's map beside it.")


def told() -> str:
    """The drawing in words."""
    found = []
    for question, on, answers in steps():
        found.append(f"{question} " + " ".join(f"{word}: {', '.join(box)}." for word, box in answers))
        found[-1] += f" If {on}:" if on != "then" else ""
    return " ".join([*found, *LAST])


def draw() -> str:
    """The drawing as SVG text."""
    out, at = [], 16
    for question, on, answers in steps():
        out.append(f'<text x="12" y="{at + 16}" font-size="16" font-weight="bold">{escape(question)}</text>')
        at += 26
        top = at
        for word, lines in answers:
            out.append(f'<text x="{LEFT}" y="{at + 14}" font-size="14" fill="{GREY}">{escape(word)}</text>')
            at += 22
            height = 14 + LINE * len(lines)
            out.append(
                f'<rect x="{LEFT}" y="{at}" width="{WIDTH - LEFT - 12}" height="{height}" rx="6" fill="#e8eef6"'
                f' stroke="{BLUE}" stroke-width="1.5"/>'
            )
            for i, line in enumerate(lines):
                style = ' font-weight="bold" font-size="15"' if i == 0 else ' font-size="13"'
                out.append(f'<text x="{LEFT + 10}" y="{at + 19 + LINE * i}"{style}>{escape(line)}</text>')
            at += height + GAP
        out += [
            f'<path d="M20 {top}V{at + 10}" stroke="{INK}" stroke-width="2"/>',
            f'<path d="M20 {at + 16}l-5 -9h10z" fill="{INK}"/>',
            f'<text x="{LEFT}" y="{at + 12}" font-size="14" fill="{GREY}">{escape(on)}</text>',
        ]
        at += 26
    height = 14 + LINE * len(LAST)
    out.append(
        f'<rect x="12" y="{at}" width="{WIDTH - 24}" height="{height}" rx="6" fill="#fdf1e3" stroke="#b84a00"'
        ' stroke-width="1.5"/>'
    )
    for i, line in enumerate(LAST):
        weight = ' font-weight="bold"' * (i == 0)
        out.append(f'<text x="24" y="{at + 20 + LINE * i}" font-size="14"{weight}>{escape(line)}</text>')
    at += height + 14
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at}" role="img" aria-labelledby="t d"'
            f' font-family="DejaVu Sans, Verdana, sans-serif" fill="{INK}">',
            ' <title id="t">Which method for which question</title>',
            f' <desc id="d">{escape(told())}</desc>',
            f' <rect width="{WIDTH}" height="{at}" rx="8" fill="{PAPER}"/>',
            *(f" {line}" for line in out),
            "</svg>",
        ]
    )


def page() -> list[str]:
    """The drawing, line by line."""
    return draw().split("\n")
