"""What the Sphinx extensions with figures share: raw HTML, and what pages and site get for such a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docutils import nodes


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def figures(app, kind: str, *folders: str, script: str = "", write: Callable[..., None] | None = None) -> dict:
    """A page that holds `class="KIND"` gets KIND.css, the script, and addresses that hold from where the page lies.

    folders: where the files of such a figure lie in the site; the first is the figure's own.
    write: called as write(app, first folder) when an HTML site has been built.
    Returns what the extension's `setup` is to return.
    """

    def dress(app, pagename, templatename, context, doctree) -> None:
        body = context.get("body") or ""
        if f'class="{kind}"' not in body:
            return
        for folder in folders:
            body = body.replace(f'"{folder}/', f'"{context["pathto"](folder + "/", 1)}')
        context["body"] = body
        app.add_css_file(f"{kind}.css")
        if script:
            app.add_js_file(script, type="module")

    def finish(app, exception) -> None:
        if write and not exception and app.builder.format == "html":
            write(app, Path(app.outdir) / folders[0])

    app.connect("html-page-context", dress)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
