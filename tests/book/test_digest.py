"""A chapter is stale when what its run used has changed, and only then: shown on the package as it is."""

import json
import shutil
import subprocess
import sys

import pytest
from nbclient.exceptions import DeadKernelError

import holicam as hc
from holicam.experiments.code import PACKAGE, TABLES, code_hash, loaded
from tools import execute, stale
from tools.digest import changes, digest, parts
from tools.ipynb import BOOK, ROOT, read, run_of

SOURCES = ["import holicam as hc", 'model = hc.load_model("toy-resnet50")  # a network', "hc.CAM()"]
FILES = ["core/ops.py", "datasets/__init__.py", "methods/cams/gradcam.py", "methods/cams/weights.py"]
SGLRP, COCO = "methods/relevance/lrp.py", "datasets/coco.py"


def chapter(sources=SOURCES, **run):
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return {"cells": [*cells, {"cell_type": "markdown", "source": "text"}], "metadata": {"holicam": run}}


@pytest.fixture
def root(tmp_path):
    """A copy of the package, and two files that stand for weights."""
    shutil.copytree(PACKAGE, tmp_path / "holicam", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").mkdir()
    for name in ("toy-resnet50", "toy-vgg16_bn"):
        (tmp_path / "data" / f"{name}.safetensors").write_bytes(b"1")
    return tmp_path


@pytest.fixture
def ran(root):
    """What is recorded of a run of the chapter."""
    return parts(chapter(), FILES, root)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_has_changed(root, ran):
    assert list(changes(chapter(**ran), root)) == []
    assert len(digest(ran)) == 64 and ran["files"].keys() == set(FILES) and ran["weights"].keys() == {"toy-resnet50"}


@pytest.mark.parametrize("was", [{}, {"digest": "0" * 64}])
def test_a_chapter_that_never_ran_is_stale(root, was):
    assert list(changes(chapter(**was), root)) == ["no run is recorded"]


def test_comments_docstrings_layout_and_places_do_not_count(root, ran):
    package = root / "holicam"
    edit(package / "core/ops.py", "\n\n\ndef ", "\n\n# a comment\n\ndef ")
    weights = package / "methods/cams/weights.py"
    weights.write_text('"""Another."""\n' + weights.read_text().split('"""', 2)[2])
    (package / "methods/cams/gradcam.py").rename(package / "methods/gradients/gradcam.py")
    edit(package / "methods/gradients/gradcam.py", "from . import weights as cam", "from ..cams import weights as cam")
    edit(package / "datasets/__init__.py", "folders:mura", "elsewhere:mura")
    assert list(changes(chapter(**ran), root)) == []
    assert digest(parts(chapter(), [f.replace("cams/grad", "gradients/grad") for f in FILES], root)) == digest(ran)


def test_a_new_explainer_or_data_set_makes_nobody_stale(root, ran):
    edit(root / "holicam/datasets/__init__.py", '    "mura": ', '    "new": "new:new",\n    "mura": ')
    assert list(changes(chapter(**ran), root)) == []
    assert (
        "grad-cam" in hc.explainers and sys.modules["holicam.methods.table"]
    )  # read by all, and no chapter's business
    assert "methods/table.py" in TABLES and not TABLES & set(loaded())


def test_code_counts_by_file(root, ran):
    package = root / "holicam"
    for file in ("core/ops.py", SGLRP):
        with (package / file).open("a") as more:
            more.write("\nNEW = 1\n")
    (package / "methods/cams/weights.py").unlink()
    assert list(changes(chapter(**ran), root)) == ["core/ops.py", "methods/cams/weights.py"]


def test_cells_and_weights_count(root, ran):
    (root / "data/toy-vgg16_bn.safetensors").write_bytes(b"2")
    assert not list(changes(chapter([*SOURCES[:2], "hc.CAM()  # as before"], **ran), root))
    assert list(changes(chapter([*SOURCES[:2], "hc.GradCAM()"], **ran), root)) == ["cell 3"]
    assert list(changes(chapter([*SOURCES, "1"], **ran), root)) == ["cell 4"]
    assert list(changes(chapter([*SOURCES[:2], '"toy-vgg16_bn"'], **ran), root)) == ["cell 3", "weights toy-vgg16_bn"]
    (root / "data/toy-resnet50.safetensors").write_bytes(b"2")
    assert list(changes(chapter(**ran), root)) == ["weights toy-resnet50"]


def test_a_cell_that_is_no_python_is_named(root, ran):
    assert list(changes(chapter([*SOURCES[:2], "%matplotlib inline"], **ran), root)) == [
        "cell 3 is no Python: invalid syntax"
    ]


def test_a_kernel_that_dies_costs_its_chapter(tmp_path, monkeypatch, capsys):
    """And so does a cell with a magic, which runs and cannot be told from another."""
    monkeypatch.setattr(execute, "BOOK", tmp_path)
    monkeypatch.setattr(sys, "argv", ["execute"])
    for n in (1, 2):
        (tmp_path / f"0{n}-a.ipynb").write_text(json.dumps({**chapter(), "nbformat": 4, "nbformat_minor": 5}))
    errors = iter([DeadKernelError("Kernel died"), SyntaxError("cell 1 is no Python: invalid syntax")])
    monkeypatch.setattr(execute, "run", lambda path: (_ for _ in ()).throw(next(errors)))
    for name in ("HOLICAM_DEVICE", "HOLICAM_STORED"):
        monkeypatch.setenv(name, "")
    assert execute.main() == 1
    said = capsys.readouterr()
    assert "Kernel died" in said.out and "cell 1 is no Python" in said.out
    assert said.err == "Failed: 01-a.ipynb, 02-a.ipynb\n"


def test_stale_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stale, "BOOK", tmp_path)
    fresh = chapter(**parts(chapter(), FILES))
    (tmp_path / "01-a.ipynb").write_text(json.dumps(fresh))
    stale.main()
    assert capsys.readouterr().out == "Every chapter is fresh.\n"
    (tmp_path / "02-b.ipynb").write_text(json.dumps({**fresh, "cells": chapter(["1"])["cells"]}))
    stale.main()
    said = capsys.readouterr().out
    assert said.startswith("02-b.ipynb: cell 1, cell 2, cell 3, weights toy-resnet50\n1 stale") and "01-a" not in said


# --- which chapters a change touches --------------------------------------------------------------

# Each on a package that nobody has loaded, in one process, for torch takes seconds.
TOUCH = """
import json, sys
for code in json.load(sys.stdin):
    for name in [name for name in sys.modules if name.split(".")[0] == "holicam"]:
        del sys.modules[name]
    import holicam as hc
    exec(code)
    modules = dict(sys.modules)
    from holicam.experiments.code import loaded
    print(json.dumps(loaded(modules)))
"""
CASES = [  # code, a file that it loads, one that it leaves
    ("hc.FullGrad, hc.IntegratedGradients", "methods/relevance/arithmetic.py", SGLRP),
    ("hc.relevance.rules.Rules", "methods/relevance/rules.py", SGLRP),
    ("hc.SGLRP", SGLRP, "methods/relevance/rsp.py"),
    ("hc.metrics.measure, hc.photos.fit, hc.edition.network", "datasets/photos.py", COCO),
    ("hc.datasets.load, hc.datasets.MissingDataError, hc.datasets.registry", "datasets/items.py", COCO),
    ("hc.datasets.registry['coco2014']", COCO, "datasets/small.py"),
    ("hc.explain_many, hc.info('sglrp'), hc.explainers", "methods/registry.py", SGLRP),
]


@pytest.fixture(scope="module")
def touched():
    """{code: the files that it loads}."""
    codes = [code for code, _, _ in CASES]
    run = {"input": json.dumps(codes), "capture_output": True, "text": True, "cwd": ROOT}
    said = subprocess.run([sys.executable, "-c", TOUCH], **run).stdout.splitlines()
    return dict(zip(codes, map(json.loads, said), strict=True))


@pytest.mark.parametrize(("code", "loads", "leaves"), CASES)
def test_a_name_loads_what_it_needs(touched, code, loads, leaves):
    files = touched[code]
    assert loads in files and leaves not in files and "experiments/code.py" not in files


@pytest.fixture(scope="module")
def loads():
    """{number of a chapter: files that its run loaded}."""
    return {int(path.name[:2]): set(run_of(read(path)).get("files", ())) for path in BOOK.glob("*.ipynb")}


ROWS = {7, 19, 20, 21, 24}  # they read stored rows, whose configuration makes every explainer that it names


@pytest.mark.parametrize(
    ("file", "surely", "at_most"),
    [(SGLRP, {11}, {11} | ROWS), (COCO, set(), {22}), ("methods/perturbation/rise.py", {12}, {12} | ROWS)],
)
def test_a_change_touches_the_chapters_that_use_it(loads, file, surely, at_most):
    assert all(loads.values()), "chapters without a recorded run: run `make execute`"
    assert surely <= {number for number, files in loads.items() if file in files} <= at_most


def test_every_chapter_loads_what_all_need(loads):
    assert all({"core/ops.py", "notebook/setup.py", "models/toy.py"} <= files for files in loads.values())
    assert all(code_hash([file]) for file in set().union(*loads.values()))
