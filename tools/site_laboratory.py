"""A Sphinx extension: the page whose network runs in the reader's browser, book/laboratory.md.

`laboratory` is the figure that the scripts in book/_static/laboratory bring to life; without them one sees a still
picture. `{lab}` in a sentence is a fact of the build: `{lab}`network`` how many MB of it come, `{lab}`logit`` how far
rounding moves a logit. What runs it is put into the built site only; where it cannot be had, the page says why, and
under CI the build fails. `{try}`words <game=deletion&photo=coffee>`` is a link that opens the laboratory in a state.
"""

from __future__ import annotations

import html
import os
import re
import shutil
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.utils import unescape

from tools.laboratory import parcel, runtime
from tools.site_figures import figures, raw
from tools.site_reference import Directive

PAGE = "book/laboratory"
FOLDER = "_static/laboratory/files"
WALL = "_static/wall"  # whose still picture this page shows
ALT = "A photograph of a cat's face with maps of six methods at four stages of a network."
HINT = (
    "A still picture of what the laboratory draws. To run a network in your browser it needs scripts, which are off "
    "here, or the files that this build lacks."
)


@cache
def missing() -> str:
    """Why the network or what runs it is not there; "" where both are. Raises RuntimeError under CI."""
    try:
        parcel.folder(), runtime.folder()
    except runtime.MissingError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise RuntimeError(f"the laboratory is incomplete: {error}") from error
        return str(error)
    return ""


def facts() -> dict[str, str]:
    """What the page says in numbers, as text."""
    files, own = parcel.folder(), parcel.facts()
    network = sum(path.stat().st_size for path in files.iterdir() if path.suffix in (".bin", ".onnx"))
    program = sum((runtime.folder() / "dist" / name).stat().st_size for name in runtime.FILES)
    return {
        "network": f"{network / 1e6:.1f}",
        "runtime": f"{program / 1e6:.1f}",
        "together": f"{(network + program) / 1e6:.0f}",
        "version": runtime.version(),
        "logit": f"{own['rounding']['logit']:.3f}",
        "probability": f"{own['rounding']['probability']:.4f}",
        "pictures": str(own["rounding"]["pictures"]),
        "other": str(own["rounding"]["other_answer"] or "none"),
    }


class Laboratory(Directive):
    """```{laboratory}``` with the caption as content."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(Path(parcel.__file__)))
        why = missing()
        place = (
            "" if why else f' data-files="{FOLDER}/" data-runtime="{FOLDER}/" data-megabytes="{facts()["together"]}"'
        )
        figure = (
            f'<figure class="laboratory" id="laboratory"{place}>\n'
            f'<p class="lab-hint">{HINT}</p>\n'
            f'<img src="{WALL}/still.jpg" alt="{html.escape(ALT)}" loading="lazy">\n<figcaption>'
        )
        holder = nodes.container(classes=["lab-caption"])
        self.state.nested_parse(self.content, self.content_offset, holder)
        lost = [nodes.paragraph(text=f"Missing in this build: {why}.")] if why else []
        return [raw(figure), *holder.children, *lost, raw("</figcaption></figure>")]


def fact(name, rawtext, text, lineno, inliner, options=None, content=None):
    """The role `lab`."""
    if missing():
        return [nodes.Text("(not in this build)")], []
    known = facts()
    if text not in known:
        return [], [inliner.reporter.error(f"the laboratory has no fact {text!r}; it has {', '.join(known)}")]
    return [nodes.Text(known[text])], []


def view(name, rawtext, text, lineno, inliner, options=None, content=None):
    """The role `try`."""
    words, said = re.fullmatch(r"(.+?)\s*<([^>]+)>", unescape(text), re.S).groups()
    env = inliner.document.settings.env
    page = env.app.builder.get_relative_uri(env.docname, PAGE)
    return [nodes.reference(rawtext, words, refuri=f"{page}#laboratory?{said}", internal=True)], []


def copy(app, target: Path) -> None:
    """Put network and runtime beside the page."""
    if PAGE not in app.env.found_docs or missing():
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(parcel.folder(), target)
    runtime.copy(target)


def setup(app) -> dict:
    app.add_directive("laboratory", Laboratory)
    app.add_role("lab", fact)
    app.add_role("try", view)
    return figures(app, "laboratory", FOLDER, WALL, script="laboratory/laboratory.mjs", write=copy)
