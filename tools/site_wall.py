"""A Sphinx extension: the page with every explainer's maps on the same pictures, book/wall.md.

`wall` is the figure that the script book/_static/wall.mjs brings to life: without it one sees a still picture and whose
the photographs are. `wall-cards` says of every explainer how it is called, its formula and where it comes from,
`wall-refusals` which have no map and why. Photographs are written into the built site only.
"""

from __future__ import annotations

import html
import inspect
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList

import holicam as hc
from holicam.methods.table import TABLE
from tools.site_docstrings import linked, parts
from tools.site_figures import figures, raw
from tools.site_reference import Directive
from tools.site_tables import chapters_of
from tools.wall import page, pictures, settings, store

FOLDER = "_static/wall"
ALT = (
    "A photograph of a cat's face, with maps of {count} methods in rows and four stages in columns, from fine grids "
    "to a coarse one."
)


class Wall(Directive):
    """```{wall}``` with the caption as content."""

    def run(self) -> list[nodes.Node]:
        for path in store.FOLDER.glob("*.json"):
            self.env.note_dependency(str(path))
        width, height = page.still_size()
        alt = ALT.format(count=height // 200)
        figure = (
            f'<figure class="wall" id="wall" data-wall="{FOLDER}/wall.json">\n'
            f'<img src="{FOLDER}/still.jpg" width="{width}" height="{height}" alt="{html.escape(alt)}">\n'
            '<p class="wall-hint">With scripts, this figure is a wall of maps with a slider for the stage.</p>\n'
            "<figcaption>"
        )
        holder = nodes.container(classes=["wall-caption"])
        self.state.nested_parse(self.content, self.content_offset, holder)
        lost = [nodes.paragraph(text=f"Missing in this build. {sentence}") for sentence in page.missing()]
        return [raw(figure), *holder.children, *lost, raw("</figcaption></figure>")]


class Credits(Directive):
    """```{wall-credits}```: whose the photographs are, and what was changed."""

    def run(self) -> list[nodes.Node]:
        items = nodes.bullet_list()
        for part in pictures.PARTS:
            try:
                said = pictures.sample(part).caption("cropped; maps laid over it")
            except pictures.NOT_THERE as error:
                said = f"{part}: missing in this build. {error}"
            items += nodes.list_item("", nodes.paragraph(text=said))
        return [items]


class Refusals(Directive):
    """```{wall-refusals}```: explainers without maps, or without some, by the sentence that says why."""

    def run(self) -> list[nodes.Node]:
        names, items = page.reference(), nodes.bullet_list()
        reasons: dict[str, list[str]] = {}
        for name in TABLE:
            if why := page.said(name):
                reasons.setdefault(why, []).append(names[name].title)
        for why, titles in reasons.items():
            who = nodes.strong(text=", ".join(titles))
            items += nodes.list_item("", nodes.paragraph("", "", who, nodes.Text(f": {why}")))
        return [items]


class Cards(Directive):
    """```{wall-cards}```: one folded card for every explainer."""

    def run(self) -> list[nodes.Node]:
        out: list[nodes.Node] = []
        for name, row in TABLE.items():
            entry = page.reference()[name]
            start = f'<details class="wall-entry" id="wall-{anchor(name)}" data-method="{html.escape(name)}">'
            out.append(raw(f"{start}<summary>{html.escape(entry.title)} <span>{row.cost}</span></summary>\n<div>"))
            out += [*self.body(name, entry), raw("</div></details>")]
        return out

    def body(self, name: str, entry: page.Entry) -> list[nodes.Node]:
        """What a card says."""
        cls = hc.explainers[name]
        code = nodes.literal_block(three_lines(name), three_lines(name), language="python")
        formula = nodes.container(classes=["explainer-formula"])
        self.state.nested_parse(StringList(entry.formula.split("\n"), "wall"), 0, formula)
        first = parts(inspect.getdoc(cls) or "").prose
        return [
            *self.rst([linked(first[0], cls.__module__), ""] if first else []),
            formula,
            code,
            *self.rst(facts(name, entry)),
        ]


def anchor(name: str) -> str:
    """A name as part of an address, its signs in letters: "grad-cam++" is "grad-cam-pp", "pcam+-" is "pcam-pm"."""
    word = name.rstrip("+-")
    signs = name[len(word) :].replace("+", "p").replace("-", "m")
    return f"{word}-{signs}" if signs else word


def three_lines(name: str) -> str:
    """The call that made a map of the wall; the wall's tests run it."""
    cat = pictures.PICTURES["cat"]
    layers = "" if settings.takes(name) == "input" else ", hc.stages(model)"
    return (
        f'model, cat = hc.load_model("{settings.NETWORK}"), hc.photos.samples("cat")["cat"].picture\n'
        'image = hc.photos.to_images(hc.photos.fit(hc.photos.middle(cat), mode="bicubic"), '
        f'"{settings.NETWORK}")\n'
        f"maps = {settings.code(name)}(model, image{layers}, target={cat.target})"
    )


def facts(name: str, entry: page.Entry) -> list[str]:
    """Cost, what was asked here, chapter, paper, and the entry of the reference: a list of fields."""
    row, cls = TABLE[name], hc.explainers[name]
    about = store.read(name)[0]
    source = ", ".join(f":cite:t:`{key}`" for key in entry.papers.split()) if entry.papers else row.paper
    out = [f":Cost: {row.cost} per image", f":Paper: {source}"]
    if seconds := about.get("seconds"):
        own = "its defaults" if name not in settings.SETTINGS else f"``{settings.code(name)}``, fewer than its default"
        usual = sorted(seconds.values())[len(seconds) // 2]
        others = [page.reference()[one].title for one in about["together"] if one != name]
        shared = f", together with {', '.join(others)}" if others else ""
        out += [f":Here: {own}; {usual:.2g} seconds of one core a picture{shared}"]
        if len(seconds) < len(pictures.ALL):
            out += [f":Pictures: {len(seconds)} of {len(pictures.ALL)} so far; the others wait for their turn"]
    if why := page.said(name):
        out += [f":Not here: {why}"]
    out += [f":Chapter: {built}"] if (built := chapters_of(cls)) else []
    return [*out, f":Reference: :py:class:`hc.{cls.__name__}`", ""]


def data(app, folder: Path) -> None:
    """Write what the page loads into the built site."""
    if "book/wall" in app.env.found_docs:
        page.write(folder)


def setup(app) -> dict:
    app.add_directive("wall", Wall)
    app.add_directive("wall-credits", Credits)
    app.add_directive("wall-refusals", Refusals)
    app.add_directive("wall-cards", Cards)
    return figures(app, "wall", FOLDER, script="wall.mjs", write=data)
