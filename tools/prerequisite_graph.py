"""The prerequisite graph as a drawing: one row a chapter, one line down the side for each that others need.

A vertical list stays readable on a phone, whatever the number of chapters. A chapter's line starts
at its ring and ends at the last chapter that needs it; a branch with an arrow leads to each of them.
Links that follow from others are left out.
"""

from html import escape

from tools.chapters import Chapter, prerequisites, reduced

WIDTH, ROW, HEAD, LANE, LEFT, TOP = 420, 30, 34, 17, 18, 14
INK, GREY = "#23252b", "#5b5f69"
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
    said = [f"{c.number} needs {' and '.join(str(number[n]) for n in needs[c.label])}"
            for c in chapters if needs[c.label]]
    return "A list of the chapters with a line from each to those that need it: " + ", ".join(said) + "."


def draw(chapters: list[Chapter]) -> str:
    """The drawing as SVG text; the same chapters give the same text."""
    needs = reduced(prerequisites(chapters))
    order = [c.label for c in chapters]
    lane = lanes(order, needs)
    ring = LEFT + LANE * (1 + max(lane.values(), default=0))  # where chapters stand that nobody needs
    x = {label: LEFT + LANE * lane[label] if label in lane else ring for label in order}
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(lane)}
    y, words, part, at = {}, [], None, TOP
    for c in chapters:
        if c.part != part:
            part, at = c.part, at + HEAD
            words.append(f'<text x="{ring + 18}" y="{at - 8}" font-size="13" fill="{GREY}">{escape(part)}</text>')
        y[c.label], at = at + ROW // 2, at + ROW
        words += [f'<text x="{ring + 18}" y="{y[c.label] + 5}"><tspan fill="{GREY}">{c.number:02d}</tspan> '
                  f"{escape(c.title)}</text>",
                  f'<text x="{WIDTH - 12}" y="{y[c.label] + 5}" font-size="13" fill="{GREY}" text-anchor="end">'
                  f"{c.minutes} min</text>"]
    lines, rings = [], []
    for label in order:
        if label in lane:
            end = max(y[n] for n in order if label in needs[n])
            lines.append(f'<path d="M{x[label]} {y[label]}V{end}" stroke="{colour[label]}"/>')
        for i, need in enumerate(needs[label]):
            level = y[label] + 7 * i - 3.5 * (len(needs[label]) - 1)
            tip = x[label] - 7
            lines += [f'<path d="M{x[need]} {level:g}H{tip - 4}" stroke="{colour[need]}"/>',
                      f'<path d="M{tip} {level:g}l-6 -4v8z" fill="{colour[need]}" stroke="none"/>',
                      f'<circle cx="{x[need]}" cy="{level:g}" r="3" fill="{colour[need]}" stroke="none"/>']
        if label in lane:
            lines.append(f'<path d="M{x[label]} {y[label]}H{ring + 12}" stroke="{colour[label]}" '
                         'stroke-dasharray="1 4"/>')
        rings.append(f'<circle cx="{x[label]}" cy="{y[label]}" r="5.5" fill="#fcfcfa" '
                     f'stroke="{colour.get(label, GREY)}"/>')
    height = at + 12
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="15" fill="{INK}">',
        ' <title id="t">Which chapter needs which</title>', f' <desc id="d">{escape(told(chapters))}</desc>',
        f' <rect width="{WIDTH}" height="{height}" rx="8" fill="#fcfcfa"/>',
        ' <g fill="none" stroke-width="2">', *(f"  {line}" for line in lines + rings), " </g>",
        *(f" {word}" for word in words), "</svg>"]) + "\n"
