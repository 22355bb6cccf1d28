"""A built wheel carries data/: installed alone, elsewhere, it loads a network and runs a chapter."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.helpers.elsewhere import alone, environment, run
from tools.editions import wheel as built

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "toy-resnet50"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy, so that no build/ folder of yours is used or made."""
    return built(tmp_path_factory.mktemp("wheel"), "--no-build-isolation")


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel) -> Path:
    """A Python whose only package is the wheel."""
    python, own = environment(tmp_path_factory.mktemp("empty"))
    run(sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", own, wheel)
    return python


def test_data_is_in_the_wheel(wheel):
    import zipfile

    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "data").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert f"holicam/data/{path.relative_to(ROOT / 'data').as_posix()}" in names
    assert "holicam/toyland/__init__.py" in names
    assert {n for n in names if "/static/" in n} == {"holicam/static/explorer.mjs", "holicam/static/explorer.css"}


def test_the_wheel_leaves_an_installed_pytorch_alone(wheel):
    """Colab brings its own: lower bounds only, no higher than what the README promises."""
    import zipfile

    with zipfile.ZipFile(wheel) as opened:
        name = next(n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
        needs = re.findall(r"^Requires-Dist: ([^;\n]+)$", opened.read(name).decode(), re.MULTILINE)
    assert all(re.fullmatch(r"[\w.-]+ ?>=[\d.]+", need) for need in needs), needs
    assert "torch>=2.6" in needs and "torchvision>=0.21" in needs


def test_wheel_loads_a_network(python, tmp_path):
    script = (
        "import pathlib, torch, holicam as hc\n"
        f"model = hc.load_model({NETWORK!r})\n"
        "with torch.no_grad(): print(tuple(model(torch.zeros(1, 3, 64, 64)).shape))\n"
        "print(pathlib.Path(hc.__file__).resolve())\n"
    )
    said = run(python, "-c", script, cwd=tmp_path, env=alone()).split("\n")
    assert said[0] == "(1, 10)"
    assert not Path(said[1]).is_relative_to(ROOT), "the repository was used, not the wheel"


RUN = """
import json, sys
names = {}
for source in json.load(sys.stdin):
    exec(source, names)
"""


def test_a_chapter_runs_from_the_wheel(python, tmp_path):
    """As on Colab: the notebook alone, the package from pip, another folder. It prints what is stored."""
    notebook = json.loads((ROOT / "book" / "23-your-own-network.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][:7]
    stored = "".join("".join(o["text"]) for c in cells for o in c["outputs"] if o.get("name") == "stdout")
    said = run(
        python,
        "-c",
        RUN,
        input=json.dumps(["".join(c["source"]) for c in cells]),
        cwd=tmp_path,
        env={**alone(), "HOLICAM_DEVICE": "cpu"},
    )
    assert "network toy-resnet50" in stored and "layer4" in stored
    assert re.sub(r"\d+%", "%", said) == re.sub(r"\d+%", "%", stored)
