"""The digest changes when what a chapter uses changes, and only then."""

import shutil
from pathlib import Path

import pytest

from tools.digest import Package, chapter_digest

LAZY = """
import importlib
_NAMES = {"Explainer": "explain", "names": "explain"}
def __getattr__(name):
    return getattr(importlib.import_module("." + _NAMES[name], __name__), name)
"""
OPS = '''
"""Operations."""
SCALE = 2

def double(x):
    """Twice x."""
    return x * SCALE  # a comment

def unused(x):
    return x
'''
EXPLAIN = '''
from . import ops
from .ops import double as twice

class Explainer:
    """Explains."""

    def __call__(self, x):
        return self.helper(x)

    def helper(self, x):
        return ops.double(x)

def names():
    return TABLE

TABLE = {"one": "other:Hidden"}
'''
OTHER = """
class Hidden:
    def reveal(self):
        return 1
"""
CHAPTER = "import holicam as hc\nhc.Explainer()(3)"


def chapter(source):
    return {"cells": [{"cell_type": "code", "source": source}, {"cell_type": "markdown", "source": "text"}]}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "holicam").mkdir()
    (tmp_path / "data").mkdir()
    for name, content in {"__init__": LAZY, "ops": OPS, "explain": EXPLAIN, "other": OTHER}.items():
        (tmp_path / "holicam" / f"{name}.py").write_text(content)
    return tmp_path


def changed(root: Path, file: str, old: str, new: str, source: str = CHAPTER) -> bool:
    before = chapter_digest(chapter(source), Package(root))
    path = root / "holicam" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return chapter_digest(chapter(source), Package(root)) != before


def test_comments_docstrings_and_layout_do_not_count(root):
    assert not changed(root, "ops.py", "  # a comment", "  # another")
    assert not changed(root, "ops.py", "Twice x.", "Two times x.")
    assert not changed(root, "ops.py", "x * SCALE", "(x *\n        SCALE)")
    assert not changed(root, "explain.py", '"""Explains."""\n', "")


def test_definitions_that_are_not_reached_do_not_count(root):
    assert not changed(root, "ops.py", "return x\n", "return -x\n")
    assert not changed(root, "other.py", "return 1", "return 2")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("ops.py", "x * SCALE", "x + SCALE"),  # two steps away: through a class and a module
        ("ops.py", "SCALE = 2", "SCALE = 3"),  # a constant
        ("explain.py", "return self.helper(x)", "return -self.helper(x)"),
    ],
)
def test_what_is_reached_counts(root, file, old, new):
    assert changed(root, file, old, new)


def test_registry_strings_count(root):
    assert changed(root, "other.py", "return 1", "return 2", "import holicam as hc\nhc.names()")


def test_method_of_an_unknown_value_counts_by_name(root):
    source = "import holicam as hc\nvalue = make()\nvalue.reveal()"
    assert changed(root, "other.py", "return 1", "return 2", source)


@pytest.mark.parametrize(
    "source",
    [
        "import holicam\nholicam.ops.double(2)",
        "import holicam.core.ops as o\no.double(2)",
        "from holicam import ops\nops.double(2)",
        "from holicam.core.ops import double\ndouble(2)",
        "from holicam.methods.registry import twice\ntwice(2)",
    ],
)
def test_ways_to_import(root, source):
    assert changed(root, "ops.py", "x * SCALE", "x + SCALE", source)
    assert not changed(root, "explain.py", "return TABLE", "return None", source)


def test_own_code_counts_but_not_its_text(root):
    package = Package(root)
    first = chapter_digest(chapter(CHAPTER), package)
    assert chapter_digest(chapter(CHAPTER + "  # note"), package) == first
    assert chapter_digest(chapter(CHAPTER.replace("3", "4")), package) != first


def test_weights_that_are_named_count(root):
    source = 'import holicam as hc\nhc.Explainer("toy")'
    before = chapter_digest(chapter(source), Package(root))
    (root / "data" / "other.safetensors").write_bytes(b"1")
    assert chapter_digest(chapter(source), Package(root)) == before
    (root / "data" / "toy.safetensors").write_bytes(b"1")
    assert chapter_digest(chapter(source), Package(root)) != before


def test_of_a_table_of_networks_only_those_that_are_named_count(root):
    (root / "holicam" / "toynets.py").write_text(
        'BUILDERS = {"one": 1, "two": 2}\n\ndef load(name):\n    return BUILDERS[name]\n'
    )
    source = 'import holicam.models.toy as t\nt.load("one")'
    assert not changed(root, "toynets.py", '"two": 2', '"two": 2, "three": 3', source)
    assert not changed(root, "toynets.py", '"two": 2', '"two": 4', source)
    assert changed(root, "toynets.py", '"one": 1', '"one": 5', source)
    assert changed(root, "toynets.py", '{"one"', 'dict() | {"one"', source)  # no plain table: all of it counts


def test_real_package_is_read(tmp_path):
    package = Package()
    assert package.lazy["load_model"] == "models"
    keys = package.closure({package.find("", "GradCAM")})
    assert ("cam", "grad_cam") in keys and ("capture", "capture") in keys
    copy = shutil.copytree(package.root / "holicam", tmp_path / "holicam")
    source = "import holicam as hc\nhc.GradCAM()"
    same = chapter_digest(chapter(source), Package(tmp_path)) == chapter_digest(chapter(source))
    assert copy.exists() and same
