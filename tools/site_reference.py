"""A Sphinx extension: the directives of the reference pages, whose tables are made from the code.

`explainer` shows one explainer: its class, the formula that the page gives, an example, its fields with types and
defaults, what each preset sets, and where it comes from. `names` shows functions and classes of a part of the
package, `metrics` the rows of some metrics, `explainers` the list of all explainers, `files` what lies in a room.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from myst_parser.mdit_to_docutils.base import make_document
from myst_parser.mocking import MockRSTParser
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import signature, stringify_signature

import holicam as hc
from tools.site_docstrings import arguments, linked, parts, rst
from tools.site_docstrings import setup as docstrings
from tools.site_names import chosen, documented, every_name, owner_of, register
from tools.site_tables import (
    call_line,
    call_of,
    chapters_of,
    example_of,
    facts,
    fields_table,
    made,
    presets_table,
    table,
)

ALIASES = ("Target", "Layers", "Layer", "Size", "Maps", "Reshape", "Ids", "Baseline")


class Directive(SphinxDirective):
    """A directive that writes reStructuredText, on pages that are written in Markdown."""

    has_content = True

    def rst(self, lines: list[str]) -> list[nodes.Node]:
        """Nodes of these lines."""
        inner = make_document()
        inner["source"] = self.state.document["source"]
        inner.settings, inner.reporter = self.state.document.settings, self.state.document.reporter
        MockRSTParser().parse("\n".join(lines), inner)
        for node in inner.findall(nodes.Element):
            if node.get("names"):
                self.state.document.note_explicit_target(node, node)
        return inner.children

    def depends_on(self, room: str) -> None:
        """The page is read again where a file of this room has changed: it holds more than autodoc knows of."""
        for path in sorted((Path(hc.__file__).parent / room).rglob("*.py")):
            self.env.note_dependency(str(path))

    def markdown(self) -> list[nodes.Node]:
        """Nodes of what the page says inside the directive."""
        holder = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, holder)
        return holder.children


class Explainer(Directive):
    """```{explainer} grad-cam``` with the formula as content."""

    required_arguments = 1
    option_spec = {"paper": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        self.depends_on("methods")
        name = self.arguments[0]
        cls = hc.explainers[name]
        inner = [".. container:: formula", "", "   formula", "", *call_line(cls), ".. rubric:: Example", ""]
        inner += [*example_of(cls).split("\n"), ""]
        for title, rows in (("Fields", fields_table(cls)), ("Presets", presets_table(cls))):
            inner += [f".. rubric:: {title}", "", *rows] if rows else []
        inner += facts(name, self.options.get("paper", ""))
        lines = [f".. autoclass:: hc.{cls.__name__}", ""]
        found, content = self.rst(lines + ["   " + line for line in inner]), self.markdown()
        for box in [n for node in found for n in node.findall(nodes.container) if "formula" in n["classes"]]:
            box.children.clear()
            box.extend(content)
            box["classes"] = ["explainer-formula"]
        return found


class Names(Directive):
    """```{names} hc.metrics``` with names as content, or none for all that the part offers."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path, out = self.arguments[0], []
        for name in chosen(path, "\n".join(self.content)):
            value = getattr(owner_of(path), name)
            if not inspect.isclass(value):
                out += self.rst([f".. autofunction:: {path}.{name}", ""])
            elif issubclass(value, BaseException):
                out += self.rst([f".. autoexception:: {path}.{name}", ""])
            else:
                lines = [f".. autoclass:: {path}.{name}", "   :members:", ""]
                out += self.rst(lines + ["   " + line for line in fields_table(value)])
        return out


class Calling(Directive):
    """```{calling}```: how every explainer is called, from the class that says so."""

    def run(self) -> list[nodes.Node]:
        owner, _ = call_of(hc.GradCAM)
        call = owner.__call__
        shown = stringify_signature(
            signature(call, bound_method=True, type_aliases=self.config.autodoc_type_aliases),
            unqualified_typehints=True,
        )
        lines = rst(parts(call.__doc__, arguments(call)), owner.__module__, arguments(call))
        return self.rst([f".. py:method:: Explainer.__call__{shown}", "", *("   " + line for line in lines)])


class Explainers(Directive):
    """```{explainers}```: all of them, one row each."""

    def run(self) -> list[nodes.Node]:
        self.depends_on("methods")
        rows = []
        for name, cls in hc.explainers.items():
            info = hc.info(name)
            link = f":py:class:`~hc.{cls.__name__}`"
            rows.append([f"``{name}``", link, info.family, info.cost, info.needs, chapters_of(cls) or "–"])
        return self.rst(table(["name", "class", "family", "cost per image", "needs", "built in"], rows, "facts"))


class Metrics(Directive):
    """```{metrics} insertion deletion```, or all of them: direction, needs, cost, protocols."""

    optional_arguments = 50

    def run(self) -> list[nodes.Node]:
        self.depends_on("metrics")
        rows = []
        for name in self.arguments or hc.metrics.registry:
            metric = hc.metrics.registry[name]
            label = documented().get(id(metric.function))
            link = f":py:func:`{name} <{label}>`" if label else f"``{name}``"
            cost = f"{metric.forwards} F" if metric.forwards else "no forward"
            cost += f", {metric.explanations} maps" if metric.explanations else ""
            better = "higher" if metric.higher_is_better else "lower"
            needs = ", ".join(metric.needs)
            papers = ", ".join(metric.protocols) or "–"
            rows.append([link, better, needs, cost, papers, chapters_of(metric.function) or "–"])
        head = ["name", "better", "needs beside maps", "cost per image", "protocols", "built in"]
        return self.rst(table(head, rows, "facts"))


class Files(Directive):
    """```{files} core```: the files of a room, one line each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.depends_on(self.arguments[0])
        room = importlib.import_module(f"holicam.{self.arguments[0]}")
        rows = []
        for entry in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            path = Path(importlib.util.find_spec(entry.name).origin)
            said = inspect.cleandoc(_docstring(path)).split("\n\n")[0]
            if said:
                place = entry.name.removeprefix("holicam.").replace(".", "/") + ("/" if entry.ispkg else ".py")
                rows.append([f"``{place}``", linked(" ".join(said.split()), entry.name)])
        return self.rst(table(["file", "what it does"], rows, "facts"))


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def signature_of(app, what, name, obj, options, shown, returned):
    """An explainer is made with its fields, whatever its base's `__new__` takes."""
    return (made(obj), None) if what == "class" and obj in hc.explainers.values() else None


def link_names(app, doctree) -> None:
    """Code in a text that names something of the reference, `hc.cam.alpha`, leads there, in chapters too."""
    for node in list(doctree.findall(nodes.literal)):
        said = re.fullmatch(r"(hc(?:\.\w+)+)(?:\(\))?", node.astext())
        if (
            said
            and said[1] in every_name()
            and not isinstance(node.parent, (nodes.reference, pending_xref, nodes.title))
        ):
            link = pending_xref("", refdomain="py", reftype="obj", reftarget=said[1], refdoc=app.env.docname)
            node.replace_self(link)
            link += node


def setup(app) -> dict:
    register()
    docstrings(app)
    app.connect("autodoc-process-signature", signature_of)
    app.connect("doctree-read", link_names)
    app.config.autodoc_type_aliases = {name: name for name in ALIASES}
    for name, kind in {
        "explainer": Explainer,
        "names": Names,
        "calling": Calling,
        "explainers": Explainers,
        "metrics": Metrics,
        "files": Files,
    }.items():
        app.add_directive(name, kind)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
