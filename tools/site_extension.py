"""A Sphinx extension: what the site needs beyond its settings.

Everything the pages load comes from the site itself. MathJax comes from the PyPI package
sphinx-mathjax-offline, of which the pages use one bundle, its fonts and the TeX extensions it may
load: 2 MB of 24.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

BUNDLE = "tex-chtml.js"
FOLDERS = ("output/chtml/fonts/woff-v2", "input/tex/extensions")


def mathjax_folder() -> Path:
    """Where the installed package keeps MathJax."""
    for entry in files("sphinx-mathjax-offline") or ():
        if entry.name == BUNDLE:
            return Path(entry.locate()).parent
    raise FileNotFoundError(f"sphinx-mathjax-offline is installed, but holds no {BUNDLE}.")


def put_mathjax(target: Path) -> None:
    """Put the bundle and what it loads into a folder."""
    source = mathjax_folder()
    for folder in FOLDERS:
        whole = shutil.ignore_patterns("all-packages.js")  # all extensions in one; the bundle loads those it needs
        shutil.copytree(source / folder, target / folder, ignore=whole, dirs_exist_ok=True)
    shutil.copy2(source / BUNDLE, target / BUNDLE)


def copy_mathjax(app) -> None:
    """Put MathJax into _static/mathjax, once."""
    target = Path(app.outdir) / "_static" / "mathjax"
    if app.builder.format == "html" and not (target / BUNDLE).exists():
        put_mathjax(target)


def without_thebe(app, pagename, templatename, context, doctree) -> None:
    """Drop the scripts for running cells on a server: they load from elsewhere, and twice."""

    def wanted(script) -> bool:
        said = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}"
        return "thebe" not in said.lower()

    for kind in ("script_files", "css_files"):
        context[kind] = list(filter(wanted, context.get(kind, ())))


def explorers(app, pagename, templatename, context, doctree) -> None:
    """Where a page holds an explorer: its script and style, and addresses that lead to its data.

    A chapter names them as seen from book/, `_static/...`; on the site this folder lies at the top.
    """
    body = context.get("body") or ""
    if 'class="cam-explorer"' in body:
        top = context["pathto"]("_static/explorers/", 1)
        context["body"] = body.replace('data-manifest="_static/explorers/', f'data-manifest="{top}')
        app.add_css_file("explorer.css")
        app.add_js_file("explorer.mjs", type="module")


def first_page(app, exception) -> None:
    """Write index.html, which leads to the first page, as a whole page with a link and an icon."""
    first, index = app.config.root_doc, Path(app.outdir) / "index.html"
    if exception or app.builder.format != "html" or first == "index":
        return
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f"<title>{app.config.html_title or app.config.project}</title>",
        f'<meta http-equiv="refresh" content="0; url={first}.html">',
        '<link rel="icon" href="_static/favicon.svg">',
        "</head>",
        f'<body><p><a href="{first}.html">To the first page</a></p></body>',
        "</html>",
    ]
    index.write_text("\n".join(lines) + "\n", encoding="utf-8")


def without_source_maps(app, exception) -> None:
    """Leave out what only the theme's developers read: a seventh of the site's bytes."""
    if not exception:
        for path in (Path(app.outdir) / "_static").rglob("*.map"):
            path.unlink()


def setup(app) -> dict:
    app.config.mathjax_path = f"mathjax/{BUNDLE}"
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", explorers)
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("build-finished", first_page, priority=900)
    app.connect("build-finished", without_source_maps, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
