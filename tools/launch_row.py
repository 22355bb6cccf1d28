"""A Sphinx extension: below the title of every chapter, how to run it.

A link to Colab, one to the notebook as a file, and the one line that a notebook needs where holicam
is not installed. All three follow from the repository's address in _config.yml. They are links:
nothing is asked of another host before a reader clicks.
"""

import re

CHAPTER = re.compile(r"book/\d\d-[\w-]+")


def install_line(repository: str) -> str:
    """What to run first in a notebook elsewhere."""
    return f"%pip install -q git+{repository}"


def colab(repository: str, branch: str, page: str) -> str:
    """The address at which Colab opens a notebook of a public repository on GitHub."""
    place = repository.removeprefix("https://github.com/").strip("/")
    return f"https://colab.research.google.com/github/{place}/blob/{branch}/{page}.ipynb"


def row(repository: str, branch: str, page: str, file: str) -> str:
    """The paragraph; `file` is the way from the page to the notebook."""
    return (f'<p class="launch-row"><a href="{colab(repository, branch, page)}">Open in Colab</a> · '
            f'<a href="{file}" download>Download the notebook</a> · where holicam is not installed, run first '
            f"<code>{install_line(repository)}</code></p>")


def add_row(app, pagename, templatename, context, doctree) -> None:
    """Put the row behind the page's title."""
    if not CHAPTER.fullmatch(pagename) or not context.get("body"):
        return
    theme = app.config.html_theme_options
    file = context["pathto"](f"_sources/{pagename}.ipynb", 1)
    line = row(theme["repository_url"].rstrip("/"), theme.get("repository_branch", "main"), pagename, file)
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + line, 1)


def setup(app) -> dict:
    app.connect("html-page-context", add_row)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
