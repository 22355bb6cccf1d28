"""A Sphinx extension: the page of the claim ledger, book/claims.md, can be filtered where scripts run."""


def scripts(app, pagename, templatename, context, doctree) -> None:
    """Script and style, on the page that holds the place of the filter."""
    if "claims-filter" in (context.get("body") or ""):
        app.add_css_file("claims.css")
        app.add_js_file("claims.mjs", type="module")


def setup(app) -> dict:
    app.connect("html-page-context", scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
