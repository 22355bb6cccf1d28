"""Write book/which-method.md: which method for which question, from stored rows, counted costs and the registry."""

from __future__ import annotations

import json

import holicam as hc
from holicam.experiments import compared, findings
from holicam.experiments.evidence import FEWEST
from holicam.methods.table import TABLE
from tools.chapters import by_number
from tools.ipynb import BOOK
from tools.pages import used, written
from tools.pages.choice import price, told
from tools.pages.shelf import Shelf
from tools.pages.stored_rows import FAST, MARGIN, PLACES, WORDS, against, cell, levels, listed, number, rows
from tools.stages import FILE

PAGE = BOOK / "which-method.md"
OVER, OTHER, POINT, SANITY = (
    "photographs-over-all",
    "structure-photographs",
    "photographs-pointing",
    "sanity-photographs",
)
METHODS = ("Grad-CAM", "Layer-CAM", FAST, "CAMERAS")
ASKED = (*METHODS, "HiResCAM", "XGrad-CAM", "Grad-CAM++", "UCAG")
CONTROLS = ("Sobel", "Centre", "Random")
ALSO = {FAST: "Holistic-CAM"}  # its label in the studies
FORGOTTEN = "spearman-all-recalibrated"


def images(name: str) -> int:
    """How many pictures are stored of a set."""
    found = rows(name)
    return 0 if found is None else len(found.images)


def shown(label: str) -> str:
    """A method's name and price."""
    return f"{label} | {'0' if label in CONTROLS else f'{price(label):,.0f}'}"


def faithful() -> str:
    """Over-all by method and stage."""
    out = ["| method | F | " + " | ".join(f"{word} stage" for word in WORDS) + " |", "|---|---|" + "---|" * len(WORDS)]
    for label in (*METHODS, *CONTROLS):
        values = (cell(levels(OVER, i, "over-all").get(label)) for i in range(len(WORDS)))
        out.append(f"| {shown(label)} | " + " | ".join(values) + " |")
    return "\n".join(out)


def forgotten(label: str, stage: int) -> compared.Level | None:
    """What is left of a map when the network has forgotten, beyond another picture's."""
    try:
        return compared.level(rows(SANITY), (label, stage, FORGOTTEN), (label, stage, f"{FORGOTTEN}-other"))
    except KeyError:
        return None


def asked() -> str:
    """Dependence on the class and on the weights, and the right quarter."""
    heads = [
        f"{what}, {word}" for what in ("another class", "right quarter", "forgotten") for word in ("first", "last")
    ]
    out = ["| method | F | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(heads)]
    for label in (*ASKED, "Sobel"):
        also = ALSO.get(label, label)
        values = [levels(OTHER, i, "class-other").get(also) for i in (0, 3)]
        values += [levels(POINT, i, "grid-pointing").get(label) for i in (0, 3)]
        values += [forgotten(also, i) for i in (0, 3)]
        out.append(f"| {shown(label)} | " + " | ".join(map(cell, values)) + " |")
    return "\n".join(out)


def layercam() -> str:
    """Layer-CAM beside Holistic-CAM, by stage."""
    found = against(OVER, "over-all", "Layer-CAM", (FAST,))
    if not found:
        return "Layer-CAM and Holistic-CAM have not been compared on photographs yet."
    by_word: dict[str, list[tuple[str, float]]] = {}
    for (_, stage), (gap, word) in found.items():
        by_word.setdefault(word, []).append((WORDS[stage], gap.mean))
    n = min(gap.n for gap, _ in found.values())
    said = [f"Layer-CAM and Holistic-CAM with four sizes, its fast preset, were scored on the same {n} photographs."]
    for word, places in by_word.items():
        where = f"At the {listed([place for place, _ in places])} stage"
        by = listed([number(abs(value)) for _, value in places])
        said.append(
            {
                "equivalent": f"{where} Layer-CAM is as good: the two differ by less than {MARGIN} in Over-all.",
                "less": f"{where} Layer-CAM scores surely less, by {by}.",
                "more": f"{where} Layer-CAM scores surely more, by {by}.",
                "undecided": f"{where} the {n} photographs cannot tell.",
            }[word]
        )
    cheap = price("Layer-CAM")
    said.append(
        f"Layer-CAM costs {cheap:.0f} F, Holistic-CAM {price(FAST):.0f} F in this form and "
        f"{price('Holistic-CAM'):.0f} F with all eight sizes: "
        f"{price(FAST) / cheap:.0f} and {price('Holistic-CAM') / cheap:.0f} times as much."
    )
    return "\n".join(said)


def last() -> str:
    """What scores best at the last stage, and at which price."""
    found = {k: v for k, v in levels(OVER, 3, "over-all").items() if k in METHODS}
    if not found:
        return "At the last stage nothing has been measured on photographs yet."
    best = max(found, key=lambda label: found[label].mean)
    rest = tuple(label for label in METHODS if label != best)
    pairs = against(OVER, "over-all", best, rest)
    how = {"more": "surely more than {}", "less": "surely less than {}", "equivalent": "equivalent to {}"}
    words = [
        how.get(pairs[o, 3][1], "not told apart from {}").format(o) + f" ({number(pairs[o, 3][0].mean, sign=True)})"
        for o in rest
        if (o, 3) in pairs
    ]
    said = listed(words)
    return (
        f"At the last stage {best} scores highest, {cell(found[best])}: {said}.\n"
        f"It costs {price(best):,.0f} F, Grad-CAM {price('Grad-CAM'):.0f} F."
    )


def default() -> str:
    """Holistic-CAM with all its sizes: what is known of it."""
    times = f"{price('Holistic-CAM') / price('Layer-CAM'):.0f}"
    said = []
    if rows("photographs-default") is None:
        said.append(
            f"Holistic-CAM with all eight sizes, {times} times as dear as Layer-CAM, has no rows on photographs yet."
        )
    else:
        n = images("photographs-default")
        said.append(
            f"Holistic-CAM with all eight sizes was scored on {n} photographs: {{ref}}`sec-on-photographs` compares."
        )
    result = json.loads((BOOK.parent / "benchmarks" / "results" / "fast.json").read_text(encoding="utf-8"))
    if result["equivalent"] == "1-4":
        said.append(
            "Its four-size form was shown to be equivalent to it, within margins set beforehand ({ref}`sec-speed`)."
        )
    toys = rows("holistic-table6")
    if toys is not None:
        pairs = [
            gap
            for layer in ("Layer1", "Layer2", "Layer3", "Layer4")
            for gap in compared.gaps([toys], "toy-resnet50", layer, "over-all", "Holistic-CAM", ["Layer-CAM"]).values()
        ]
        said_of = findings.of(dict(enumerate(pairs)), 2 * MARGIN).values()
        words, n = [each.word for each in said_of], min(gap.n for gap in pairs)
        if set(words) == {"undecided"}:
            found = "at no stage can the two be told apart, which does not say that they are equal"
        elif len(set(words)) == 1:
            found = f"at all four stages {words[0]}"
        else:
            counts = [f"{word} at {words.count(word)}" for word in dict.fromkeys(words)]
            found = f"of the four stages, {listed(counts)}"
        said.append(f"In Toyland, on {n} drawings, it was compared with Layer-CAM: {found}.")
    return "\n".join(said)


def undecided() -> str:
    """What the stored rows leave open, as a list."""
    out = []
    for name, metric, one in ((OVER, "over-all", FAST), (POINT, "grid-pointing", FAST)):
        others = tuple(label for label in ASKED if label != one)
        found = against(name, metric, one, others)
        opened: dict[str, list[str]] = {}
        for (other, stage), (_, word) in found.items():
            if word == "undecided":
                opened.setdefault(other, []).append(WORDS[stage])
        everywhere = [other for other, places in opened.items() if len(places) == len(WORDS)]
        some = [f"{listed([other])} at the {listed(p)} stage" for other, p in opened.items() if other not in everywhere]
        said = "; ".join([f"{listed(everywhere)} at any stage"] * bool(everywhere) + some)
        n = min((gap.n for gap, _ in found.values()), default=0)
        few = (
            f" With {n} pictures, where a verdict asks for {FEWEST}, nothing can be called sure." if n < FEWEST else ""
        )
        if said:
            what = {"over-all": "Over-all", "grid-pointing": "Right quarter"}[metric]
            out.append(f"- {what}, Holistic-CAM (fast) beside others: not told apart from {said}.{few}")
    shelf = Shelf()
    for path in sorted(shelf.folder.glob("photographs-*.toml")):
        if shelf.rows(path.stem) is None:
            known = shelf.known(path.stem)
            methods = [label for label in known.labels if label not in CONTROLS]
            out.append(
                f"- {listed(list(known.metrics))} of {listed(methods)}: planned on photographs, not measured yet."
            )
    return "\n".join(out) or "Nothing that was asked is open."


def stored() -> dict[str, dict[str, int]]:
    """{explainer: {"photographs", "mosaics" or "drawings": most pictures with a score}}."""
    shelf, found = Shelf(), {}
    for path in sorted(shelf.folder.glob("*.toml")):
        there, config = shelf.rows(path.stem), shelf.known(path.stem).config
        if there is None or config is None:
            continue
        kind = {"toyland": "drawings", "mosaics": "mosaics"}.get(config.dataset["name"], "photographs")
        n = len({image.partition("/")[0] for image in there.images} if kind == "mosaics" else there.images)
        for entry in config.entries.values():
            counts = found.setdefault(entry.name, {})
            counts[kind] = max(counts.get(kind, 0), n)
    return found


def others() -> str:
    """A row for every explainer that the tables above do not have."""
    book, counts = by_number(), stored()
    built = {value: name.built for part in used.names().values() for value, name in part.items()}
    out = ["| method | F | needs | stored | chapter |", "|---|---|---|---|---|"]
    above = {"grad-cam", "layer-cam", "holistic-cam", "cameras"}
    for name, row in TABLE.items():
        if name in above or row.family == "control":
            continue
        said = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.get(name, {}).items())) or "none"
        where = used.links(built.get(hc.explainers[name], []), book)
        out.append(f"| `{name}` | {row.forwards + row.backwards:,.0f} | {row.needs} | {said} | {where} |")
    return "\n".join(out)


def grids() -> tuple[str, str]:
    """The first and the last stage's cells of the photographs' network."""
    stages = {
        stage["name"]: stage["grid"]
        for row in json.loads(FILE.read_text(encoding="utf-8"))["rows"]
        if row["network"] == "timm:tf_efficientnet_lite0"
        for stage in row["stages"]
    }
    return tuple(" × ".join(map(str, stages[place])) for place in (PLACES[0], PLACES[-1]))


def page() -> list[str]:
    """The lines of the page."""
    fine, coarse = grids()
    pairs = levels(POINT, 0, "grid-pointing").values()
    return written(
        "which",
        told=told(),
        layercam=layercam(),
        last=last(),
        default=default(),
        faithful=faithful(),
        asked=asked(),
        undecided=undecided(),
        others=others(),
        n=images(OVER),
        n_other=images(OTHER),
        n_mosaics=max((level.n for level in pairs), default=0),
        n_sanity=images(SANITY),
        fewest=FEWEST,
        fine=fine,
        coarse=coarse,
    ).split("\n")
