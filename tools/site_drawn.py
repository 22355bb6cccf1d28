"""A Sphinx extension: sheets of pictures that are drawn while the site is built (tools/drawn).

```{drawn} toyland-classes
:columns: 5

The caption.
```

Of a sheet one panel may be shown alone, `{drawn} words-glossary gradient`, without a caption. Pictures are written into
the built site only.
"""

from __future__ import annotations

import html
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives

from holicam.notebook.explorer.packed import jpeg
from tools import drawn
from tools.site_figures import figures, raw
from tools.site_reference import Directive

FOLDER = "_static/drawn"


class Drawn(Directive):
    """A sheet, or one of its panels."""

    required_arguments = 1
    optional_arguments = 1
    option_spec = {"columns": directives.positive_int}  # noqa: RUF012 (docutils asks for it in the class)

    def run(self) -> list[nodes.Node]:
        sheet, *one = self.arguments
        try:
            found = [panel for panel in drawn.panels(sheet) if panel.name in one or not one]
        except ValueError as error:
            raise self.error(str(error)) from None
        if not found:
            raise self.error(f"the sheet {sheet} has no panel {one[0]!r}")
        about = self.env.metadata[self.env.docname]
        about["drawn"] = " ".join(dict.fromkeys([*about.get("drawn", "").split(), sheet]))
        columns = self.options.get("columns", len(found))
        boxes = "".join(box(sheet, panel) for panel in found)
        start = f'<figure class="drawn" id="drawn-{"-".join(self.arguments)}">'
        out: list[nodes.Node] = [raw(f'{start}<div class="drawn-panels" style="--columns: {columns}">{boxes}</div>')]
        if self.content:
            holder = nodes.container(classes=["drawn-caption"])
            self.state.nested_parse(self.content, self.content_offset, holder)
            out += [raw("<figcaption>"), holder, raw("</figcaption>")]
        return [*out, raw("</figure>")]


def box(sheet: str, panel: drawn.Panel) -> str:
    """One picture with what stands below it."""
    height, width = panel.pixels.shape[:2]
    keys = "".join(
        f'<li><span style="background: rgb{colour}"></span>{html.escape(word)}</li>' for colour, word in panel.keys
    )
    return (
        f'<div><img src="{FOLDER}/{drawn.file(sheet, panel)}" width="{width}" height="{height}" '
        f'alt="{html.escape(panel.alt)}">'
        f'<p class="drawn-name">{html.escape(panel.title)}'
        + (f" <small>{html.escape(panel.note)}</small>" if panel.note else "")
        + "</p>"
        + (f'<ul class="drawn-keys">{keys}</ul>' if keys else "")
        + "</div>"
    )


def write(app, folder: Path) -> None:
    """Write the pictures into the built site."""
    wanted = {sheet for said in app.env.metadata.values() for sheet in said.get("drawn", "").split()}
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in sorted(wanted):
        for panel in drawn.panels(sheet):
            (folder / drawn.file(sheet, panel)).write_bytes(jpeg(panel.pixels, drawn.QUALITY))


def setup(app) -> dict:
    app.add_directive("drawn", Drawn)
    return figures(app, "drawn", FOLDER, write=write)
