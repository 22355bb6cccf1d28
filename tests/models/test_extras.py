"""Packages of the extras: what needs one says which extra brings it, and everything else works without them all."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from holicam.models.extras import EXTRAS, extra, lacking

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = [package for packages in EXTRAS.values() for package in packages]
# In a Python that has none of them. Both halves are programs that print.
WITHOUT = f"""
from importlib.machinery import PathFinder
found = PathFinder.find_spec
def hidden(name, path=None, target=None):
    return None if name.partition(".")[0] in {BLOCKED!r} else found(name, path, target)
PathFinder.find_spec = staticmethod(hidden)
import torch, holicam as hc
"""
WORKS = """
model, batch = hc.load_model("toy-resnet50"), hc.toyland.batch(2, split="test", size=64)
for name in ("holistic-cam", "grad-cam", "relevance-cam"):
    maps = hc.explainers[name]()(model, batch.images, layers="layer4")
    assert maps.shape == (2, 64, 64), name
target = model(batch.images).argmax(1)
for name in ("insertion", "average_drop"):
    assert torch.isfinite(getattr(hc.metrics, name)(model, batch.images, maps, target)).all(), name
hc.setup()
for room in ("toyland", "models", "datasets", "core", "methods", "metrics", "notebook", "experiments"):
    getattr(hc, room)
print("all of it")
"""
# {what is asked: the sentence's first word or words, the package, the extra}
NEEDS = {
    "hc.plot": ("A picture", "matplotlib", "notebook"),
    "hc.explore": ("A picture", "matplotlib", "notebook"),
    "panel(print, {'a': [1]}, {'a': 1})": ("A knob", "ipywidgets", "notebook"),
    "hc.stored.load('truth')": ("A table of rows", "pyarrow", "experiments"),
    "hc.evidence.interval(numpy.arange(12.0))": ("An interval", "scipy", "experiments"),
    "open_run(OUT, {}, {})": ("A table of rows", "pyarrow", "experiments"),
    "read_rows(OUT)": ("A table of rows", "pyarrow", "experiments"),
    "hc.photos.samples()": ("A sample photograph", "skimage", "photos"),
    "hc.photos.samples('officer')": ("A sample photograph", "matplotlib", "notebook"),
    "needs('pycocotools.mask', 'MS-COCO')": ("MS-COCO", "pycocotools", "data"),
    "needs('h5py', 'ImageNet-Segmentation')": ("ImageNet-Segmentation", "h5py", "data"),
}
ASK = """
from pathlib import Path
import numpy
from holicam.datasets.files import needs
from holicam.experiments.part_file import read_rows
from holicam.experiments.storage import open_run
from holicam.notebook.knobs import panel
OUT = Path("run")
for asked in ASKED:
    try:
        eval(asked)
    except ImportError as error:
        print(error)
print("a folder" if OUT.exists() else "no folder")
"""


def python(script: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder)


def test_the_table_is_the_one_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
    for name, packages in EXTRAS.items():
        wanted = {need.partition(">")[0] for need in extras.pop(name)}
        own = [package for package in packages if package not in ("IPython", "matplotlib_inline")]  # with ipywidgets
        assert {names.get(package, package.replace("_", "-")) for package in own} == wanted
    assert extras == {"book": [f"holicam[{','.join(name for name in EXTRAS if name != 'data')}]"]}


def test_explainers_and_metrics_need_none_of_them(tmp_path):
    done = python(WITHOUT + WORKS, tmp_path)
    assert done.stdout == "all of it\n", done.stderr


def test_what_needs_one_says_which_extra_brings_it(tmp_path):
    """And a run says so before it makes a folder, not after hours of work."""
    done = python(f"{WITHOUT}ASKED = {list(NEEDS)!r}{ASK}", tmp_path)
    said = [f'{w} needs {p}, which is not installed: pip install "holicam[{e}]".' for w, p, e in NEEDS.values()]
    assert done.stdout.splitlines() == [*said, "no folder"], done.stderr


def test_the_command_line_says_so_without_a_traceback(tmp_path):
    script = "import sys, runpy\nsys.modules['typer'] = None\nrunpy.run_module('holicam', run_name='__main__')"
    done = python(script, tmp_path)
    sentence = 'Error: The command line needs typer, which is not installed: pip install "holicam[experiments]".\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


def test_other_missing_modules_stay_what_they_are():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extra("This"):
        import no_such_module  # noqa: F401
    assert lacking(ImportError("a name"), "This") is None
    assert lacking(ModuleNotFoundError(name="h5py.h5f"), "This") == (
        'This needs h5py, which is not installed: pip install "holicam[data]".'
    )
