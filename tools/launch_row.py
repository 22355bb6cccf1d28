"""A Sphinx extension: below the title of every chapter, how to run it; and the notebooks that the links lead to.

"Open in Colab" leads to the branch on which the workflow publishes the plain notebooks, "Download the notebook" to
the same file on this site, where it stands in place of the chapter's source. They are links: nothing is asked of
another host before a reader clicks.
"""

import re
from pathlib import Path

from tools.plain import BRANCH, write

CHAPTER = re.compile(r"book/\d\d-[\w-]+")


def colab(repository: str, page: str) -> str:
    """The address at which Colab opens the plain notebook of a page."""
    place = repository.removeprefix("https://github.com/").strip("/")
    return f"https://colab.research.google.com/github/{place}/blob/{BRANCH}/{page.rpartition('/')[2]}.ipynb"


def row(repository: str, page: str, file: str) -> str:
    """The paragraph; `file` is the way from the page to the notebook."""
    return (
        f'<p class="launch-row"><a href="{colab(repository, page)}">Open in Colab</a> · '
        f'<a href="{file}" download>Download the notebook</a>, whose first cell installs what it needs</p>'
    )


def add_row(app, pagename, templatename, context, doctree) -> None:
    """Put the row behind the page's title."""
    if not CHAPTER.fullmatch(pagename) or not context.get("body"):
        return
    file = context["pathto"](f"_sources/{pagename}.ipynb", 1)
    line = row(app.config.html_theme_options["repository_url"].rstrip("/"), pagename, file)
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + line, 1)


def plain_sources(app, exception) -> None:
    """Put the plain notebooks in place of the chapters' sources."""
    if not exception and app.builder.format == "html":
        write(Path(app.outdir) / "_sources" / "book")


def setup(app) -> dict:
    app.connect("html-page-context", add_row)
    app.connect("build-finished", plain_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
