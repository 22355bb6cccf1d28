"""The reference pages: every explainer and metric once, with its formula; tables are the code's; examples run."""

import doctest
import inspect
import io
import re
from dataclasses import dataclass, field
from typing import Annotated

import pytest
import yaml
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import roles

import holicam as hc
from holicam.core.options import Count, NotNegative, among
from tools.ipynb import BOOK
from tools.site_docstrings import arguments, linked, parts, rst
from tools.site_names import DIRECTIVE, own, owner_of, pages, resolved
from tools.site_tables import call_of, described, example_of, fields_of, fields_table, hints_of, made
from tools.site_tables import presets_table as presets_rows

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in BOOK.glob("api*.md")}
ENTRIES = {arg: body for text in TEXTS.values() for kind, arg, body in DIRECTIVE.findall(text) if kind == "explainer"}


# --- the pages ------------------------------------------------------------------------------------


def test_every_name_stands_once_and_exists():
    names = [name for shown in pages().values() for name in shown]
    assert len(names) == len(set(names)) > 200
    for name in names:
        path, _, last = name.rpartition(".")
        assert hasattr(owner_of(path), last), name


def test_every_explainer_has_its_entry_formula_and_paper():
    missing = set(hc.explainers) - ENTRIES.keys()
    assert not missing, (
        f"{', '.join(sorted(missing))}: add an entry, ```{{explainer}} NAME with its formula and :paper:, to the page "
        "of its family, book/api-*.md"
    )
    assert ENTRIES.keys() == set(hc.explainers), "book/api-*.md has an entry of an explainer that is gone: delete it"
    keys = set(re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text(encoding="utf-8"), re.MULTILINE))
    for name, body in ENTRIES.items():
        assert body.count("$$") >= 2, f"{name}: no formula"
        papers = re.findall(r"^:paper: (.+)$", body, re.MULTILINE)
        assert papers or hc.info(name).paper.startswith("none"), f"{name}: no paper"
        assert {key for line in papers for key in line.split()} <= keys, name


def test_every_metric_has_its_section():
    shown = [
        name
        for line in re.findall(r"^```\{metrics\} (.+)$", TEXTS["api-metrics"], re.MULTILINE)
        for name in line.split()
    ]
    assert sorted(shown) == sorted(hc.metrics.registry)


def test_all_pages_are_in_the_contents():
    listed = yaml.safe_load((BOOK.parent / "_toc.yml").read_text(encoding="utf-8"))["parts"][-1]["chapters"]
    assert {f"book/{page}" for page in TEXTS} <= {entry["file"] for entry in listed}


def test_code_on_the_pages_fits_a_page():
    for page, text in TEXTS.items():
        for code in re.findall(r"^```(?:python|console|toml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            assert max(map(len, code.splitlines())) <= 76, page


# --- what is made from the code -------------------------------------------------------------------


@pytest.mark.parametrize("name", hc.explainers)
def test_fields_presets_and_call_of_an_explainer(name):
    cls = hc.explainers[name]
    text = "\n".join(fields_table(cls))
    for one in fields_of(cls):
        assert f"``{one.name}``" in text and described(cls).get(one.name), f"{name}: {one.name} is not described"
        assert f"{one.name}=" in made(cls)
    for preset, values in getattr(cls, "presets", {}).items():
        assert not values or f'``"{preset}"``' in "\n".join(presets_rows(cls)) or len(cls.presets) == 1
    owner, call = call_of(cls)
    assert owner.__name__ == "Explainer" and call[:4] == ["model", "images", "layers=None", "target=None"]


@pytest.mark.parametrize("name", hc.explainers)
def test_the_example_of_an_explainer_runs(name):
    cls = hc.explainers[name]
    example = example_of(cls)
    assert f"hc.{cls.__name__}(" in example, f"{name}: the docstring has no example"
    said = []
    test = doctest.DocTestParser().get_doctest(example, {}, name, None, 0)
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


def test_a_preset_shows_where_it_differs():
    rows = presets_rows(hc.HolisticCAM)
    assert rows[rows.index("   * - ``eps``") :][:5] == [
        "   * - ``eps``",
        "     - ``1e-06``",
        "     - ``1e-06``",
        "     - ``1e-05``",
        "     - ``1e-06``",
    ]  # default, fast, paper, reference
    assert "   * - ``median``" not in rows  # the same in all


@dataclass(frozen=True)
class Made:
    """A class.

    Args:
        one: the first;
            and more of it.
        two, three: both.
    """

    one: Count = 3
    two: NotNegative = 0.5
    three: Annotated[str, among(("a", "b"))] = "a"
    four: tuple = field(default=(1, 2, 3, 4, 5))  # said behind it


def test_types_say_what_is_allowed():
    hints = hints_of(Made)
    assert set(hints) == {"one", "two", "three", "four"}
    text = "\n".join(fields_table(Made))
    for said in (
        "``int ≥ 1``",
        "``float ≥ 0``",
        "``'a' | 'b'``",
        "``5 numbers, 1 to 5``",
        "the first; and more of it.",
    ):
        assert said in text, text
    assert described(Made)["three"] == "both." and described(Made)["four"] == "said behind it"


# --- docstrings -----------------------------------------------------------------------------------


def shown(doc, *names):
    return rst(parts(inspect.cleandoc(doc), names), "holicam.methods.cams.holistic", names)


def test_a_docstring_of_one_line_becomes_a_list():
    lines = shown("The map. Args: A (B, C, h, w); W broadcasts. Returns (B, h, w). Raises ValueError.", "A", "W")
    assert lines[0] == "The map."
    assert "   * **A** – (B, C, h, w); W broadcasts." in lines
    assert ":Returns: (B, h, w)." in lines and ":Raises: ValueError." in lines


def test_arguments_with_a_line_each_and_several_in_one():
    doc = """Do it.

    Args:
        eps: a number;
            at least 0.
        size, mode: as elsewhere.

    Returns:
        Maps, |x| of them.

    Example:
        >>> 1 + 1
        2

    Built in chapter 07.
    """
    found = parts(doc, ["eps", "size", "mode"])
    assert found.entries == {"eps": "a number; at least 0.", "size, mode": "as elsewhere."}
    assert found.example == ">>> 1 + 1\n2" and found.chapters == ["07"] and found.prose == ["Do it."]
    lines = rst(found, "")
    assert "   * **size**, **mode** – as elsewhere." in lines
    assert r":Returns: Maps, \|x\| of them." in lines
    assert ":Built in: :ref:`chapter 7 <sec-holistic-cam>`" in lines


def test_prose_is_not_taken_for_arguments():
    assert parts("The score of a map: high is good. It has a mode.", ["score", "mode"]).entries == {}
    assert parts("Maps.\n\nSo:\n\n    M = 1\n    N = 2", ["M"]).prose == ["Maps.", "So:", "   | M = 1\n   | N = 2"]


def test_mentions_become_links_where_they_lead_somewhere():
    module = "holicam.methods.cams.holistic"
    assert resolved("cam.alpha", module) == "hc.cam.alpha" and resolved("GradCAM", module) == "hc.GradCAM"
    assert resolved("nothing.such", module) is None
    assert linked("see `cam.alpha`s", module) == r"see :py:obj:`hc.cam.alpha <hc.cam.alpha>`\ s"
    assert linked("`alpha` and ``code | here``", module, ["alpha"]) == "``alpha`` and ``code | here``"


def test_every_docstring_of_the_reference_can_be_laid_out():
    """No line of any docstring is malformed where Sphinx would say so and stop."""
    for role in ("py:obj", "ref"):
        roles.register_generic_role(role, nodes.literal)
    for name in (name for shown in pages().values() for name in shown):
        path, _, last = name.rpartition(".")
        value = getattr(owner_of(path), last)
        lines = rst(parts(value.__doc__ or "", arguments(value)), value.__module__, arguments(value))
        complaints = io.StringIO()
        publish_doctree("\n".join(lines), settings_overrides={"warning_stream": complaints})
        assert not complaints.getvalue(), f"{name}: {complaints.getvalue()}"


def test_names_of_a_file_are_those_it_defines():
    assert "alpha" in own(hc.cam) and "Tensor" not in own(hc.cam)
    assert arguments(hc.cam.alpha)[:3] == ["A", "G", "eps"]
    assert "protocol" in arguments(hc.metrics.Run)  # a protocol says how it is called
