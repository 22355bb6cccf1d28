"""A Sphinx extension: the picture of the first page, with switches that need no script.

```{hero} coffee
A line before the picture.

-- asked: As trained
What one sees now. <<p asked>> is a probability, <<corr holistic-cam 1 another>> a correlation of two maps.
-- another: Another class
...
```

A part of the content is one state of the picture (`tools.wall.hero.STATES`): the word of its switch, and the text that
is read beside it. Numbers are put there from data/wall and data/measured when the page is built. Photographs are
written into the built site only.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList

from tools.site_figures import figures, raw
from tools.site_reference import Directive
from tools.wall import hero, measures, page, pictures, store

FOLDER = "_static/hero"
STAGE = {1: "first stage", 4: "last stage"}
TITLES = {"sobel": "Edges, no network"}


class Hero(Directive):
    """One photograph and its maps in all states."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        picture = self.arguments[0]
        if picture not in pictures.PICTURES:
            raise self.error(f"there is no picture {picture!r}; there are {', '.join(pictures.PICTURES)}")
        for path in (hero.FILE, *store.FOLDER.glob("*.json")):
            self.env.note_dependency(str(path))
        about = self.env.metadata[self.env.docname]
        about["heroes"] = " ".join(dict.fromkeys([*about.get("heroes", "").split(), picture]))
        first, states = self.states()
        name = f"hero-{picture}"
        out = [raw(f'<figure class="hero" id="{name}">'), *self.words(first, "hero-first"), raw(self.photo(picture))]
        switches = "".join(
            f'<label><input type="radio" name="{name}" value="{state}"{" checked" * (state == "asked")}>'
            f"<span>{html.escape(filled(picture, word))}</span></label>"
            for state, (word, _) in states.items()
        )
        out.append(raw(f'<fieldset class="hero-switch"><legend>What is asked</legend>{switches}</fieldset>'))
        for state, (_, text) in states.items():
            out.append(raw(f'<div class="hero-state hero-{state}">{self.grid(picture, state)}'))
            out += [*self.words(text, "hero-words"), raw("</div>")]
        try:
            credit = pictures.credit(picture)
        except pictures.NOT_THERE as error:
            credit = f"The photograph is missing in this build. {error}"
        return [
            *out,
            raw(f'<figcaption class="hero-credit">{html.escape(credit)} Maps laid over it.</figcaption></figure>'),
        ]

    def states(self) -> tuple[list[str], dict[str, tuple[str, list[str]]]]:
        """The lines before the first state, and {state: (word of its switch, lines)}."""
        first: list[str] = []
        found: dict[str, tuple[str, list[str]]] = {}
        lines = first
        for line in self.content:
            if match := re.fullmatch(r"-- (\w+): (.+)", line):
                found[match[1]] = match[2], (lines := [])
            else:
                lines.append(line)
        if tuple(found) != hero.STATES:
            raise self.error(f"a hero has the states {', '.join(hero.STATES)}; this one has {', '.join(found)}")
        return first, found

    def words(self, lines: list[str], kind: str) -> list[nodes.Node]:
        """Markdown with its numbers filled in."""
        said = filled(self.arguments[0], "\n".join(lines))
        holder = nodes.container(classes=[kind])
        self.state.nested_parse(StringList(said.split("\n"), "hero"), 0, holder)
        return [holder] if holder.children else []

    def photo(self, picture: str) -> str:
        said = hero.answers()[picture]
        answer, p = html.escape(str(said["answer"])), percent(float(said["p"]))
        shown = image(hero.file(picture), f"Photograph: {pictures.PICTURES[picture].title}.")
        return f'<div class="hero-photo">{shown}<p>The network says <em>{answer}</em>, {p}.</p></div>'

    def grid(self, picture: str, state: str) -> str:
        """The panels of a state with their names."""
        rows, names = hero.panels(state), page.reference()
        cells = []
        for row in rows:
            for panel in row:
                title = TITLES.get(panel.method) or names[panel.method].title
                where = STAGE.get(panel.stage, "")
                alt = f"{title}{', ' * bool(where)}{where}, over the photograph."
                name = f"{html.escape(title)}<br><small>{where or 'of the image'}</small>"
                cells.append(f'<div><span class="hero-name">{name}</span>{image(hero.file(picture, panel), alt)}</div>')
        return f'<div class="hero-maps">{"".join(cells)}</div>'


def image(file: str, alt: str) -> str:
    return f'<img src="{FOLDER}/{file}" width="{hero.SIDE}" height="{hero.SIDE}" alt="{html.escape(alt)}">'


def filled(picture: str, text: str) -> str:
    """The text with its numbers."""
    return re.sub(r"<<([^>]+)>>", lambda match: number(picture, match[1].split()), text)


def number(picture: str, words: list[str]) -> str:
    """What a placeholder stands for: "p STATE", "asked", "other", or "corr METHOD STAGE QUESTION"."""
    one = pictures.PICTURES[picture]
    match words:
        case ["p", state]:
            return percent(float(hero.answers()[picture][state]))
        case ["asked"]:
            return one.label
        case ["other"]:
            return one.other_label
        case ["corr", method, stage, question]:
            return f"{measures.likeness(picture, method, int(stage), question):.2f}".replace("-", "−")
    raise ValueError(f"<<{' '.join(words)}>> stands for no number of the first page")


def percent(p: float) -> str:
    return "under 0.1 %" if p < 0.001 else f"{100 * p:.1f} %" if p < 0.1 else f"{100 * p:.0f} %"


def data(app, folder: Path) -> None:
    """Write the panels into the built site."""
    for said in app.env.metadata.values():
        for picture in said.get("heroes", "").split():
            hero.write(folder, picture)


def setup(app) -> dict:
    app.add_directive("hero", Hero)
    return figures(app, "hero", FOLDER, write=data)
