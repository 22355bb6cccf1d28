"""A Sphinx extension: what a link to a page shows elsewhere, its title, a description and a picture.

The description is the first paragraph, which in a chapter is its question; the picture is the page's first figure, else
the first page's. From elsewhere only a whole address can be followed, so that of the site comes from one setting,
`html: baseurl` in _config.yml. Without it no address is written that leads away.
"""

from __future__ import annotations

import html
import posixpath
import re
from urllib.parse import urljoin

from docutils import nodes

LONGEST = 200  # letters of a description
PICTURE = re.compile(r'<img\b[^>]*?\bsrc="([^":]+\.(?:jpe?g|png))"')
USUAL = "_static/hero/coffee-holistic-cam-1-asked.jpg"
SKIPPED = (nodes.math, nodes.raw, nodes.footnote_reference)


def words(node: nodes.Node) -> str:
    """The text of a paragraph without formulas."""
    if isinstance(node, nodes.Text):
        return node.astext()
    return "" if isinstance(node, SKIPPED) else "".join(map(words, node.children))


def described(doctree: nodes.document | None) -> str:
    """The first paragraph below the title, cut at a word."""
    if doctree is None:
        return ""
    for paragraph in doctree.findall(nodes.paragraph):
        said = re.sub(r"\s+", " ", words(paragraph)).strip()
        if len(said) > 30:
            return said if len(said) <= LONGEST else said[: said.rindex(" ", 0, LONGEST)].rstrip(",;:") + " …"
    return ""


def picture(pagename: str, body: str) -> str:
    """Where the page's picture lies, from the top of the site."""
    found = PICTURE.search(body)
    if found is None:
        return USUAL
    return posixpath.normpath(posixpath.join(posixpath.dirname(pagename), html.unescape(found[1])))


def tags(title: str, description: str, image: str, page: str, base: str) -> str:
    """The HTML; base: the address of the site, or "" where it has none yet."""
    said = {"og:title": title, "og:type": "article", "og:description": description}
    if base:
        said |= {"og:url": urljoin(base.rstrip("/") + "/", page), "og:image": urljoin(base.rstrip("/") + "/", image)}
    else:
        said["og:image"] = posixpath.relpath(image, posixpath.dirname(page) or ".")
    lines = [f'<meta property="{key}" content="{html.escape(value)}">' for key, value in said.items() if value]
    if description:
        lines.insert(0, f'<meta name="description" content="{html.escape(description)}">')
    return "\n".join(lines) + "\n"


def add(app, pagename, templatename, context, doctree) -> None:
    """Write them into the page's head."""
    if templatename != "page.html":
        return
    title = html.unescape(re.sub(r"<[^>]+>", "", context.get("title") or "")) or app.config.project
    found = tags(
        title,
        described(doctree),
        picture(pagename, context.get("body") or ""),
        pagename + app.builder.out_suffix,
        app.config.html_baseurl,
    )
    context["metatags"] = (context.get("metatags") or "") + found


def setup(app) -> dict:
    app.connect("html-page-context", add, priority=950)  # when pictures have their addresses
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
