"""The built wheel carries the networks that chapters share: alone, elsewhere, it runs a chapter and a command."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.commands import photo as picture
from tests.helpers.elsewhere import alone, environment, run
from tests.helpers.packages import in_wheel
from tools.editions import wheel as built

ROOT = Path(__file__).resolve().parents[2]
NETWORK, OTHER = "toy-resnet50", "toy-resnet50-shortcut"
SHARED = ("toy-resnet50", "toy-vgg16_bn")  # by chapters; the other networks come with the repository
LARGEST = 12_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy, so that no build/ folder of yours is used or made."""
    return built(tmp_path_factory.mktemp("wheel"), "--no-build-isolation")


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel) -> Path:
    """A Python whose only packages are the wheel and what its extra [book] brings."""
    python, own = environment(tmp_path_factory.mktemp("empty"), ["holicam[book]"], in_wheel(wheel))
    run(sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", own, wheel)
    return python


def test_data_is_in_the_wheel(wheel):
    import zipfile

    names = set(zipfile.ZipFile(wheel).namelist())
    data = {path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()}
    data = {name for name in data if not name.startswith(("wall/", "measured/"))}  # of the site alone
    left_out = {name for name in data if name.endswith(".safetensors") and name.partition(".")[0] not in SHARED}
    assert {n.removeprefix("holicam/data/") for n in names if "/data/" in n} == data - left_out - {"claims.toml"}
    assert len(left_out) == len(list((ROOT / "data").glob("*.safetensors"))) - len(SHARED)
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "holicam").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == code and "holicam/py.typed" in names
    assert wheel.stat().st_size < LARGEST
    assert {n for n in names if "/static/" in n} == {"holicam/static/explorer.mjs", "holicam/static/explorer.css"}


def test_the_wheel_leaves_an_installed_pytorch_alone(wheel):
    """Colab brings its own: lower bounds only, no higher than what the README promises."""
    import zipfile

    with zipfile.ZipFile(wheel) as opened:
        name = next(n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
        needs = re.findall(r"^Requires-Dist: ([^;\n]+)$", opened.read(name).decode(), re.MULTILINE)
    assert all(re.fullmatch(r"[\w.-]+ ?>=[\d.]+", need) for need in needs), needs
    names = {re.match(r"[\w-]+", need)[0] for need in needs}
    assert names == {"torch", "torchvision", "numpy", "opencv-python-headless", "safetensors", "tqdm"}
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


def test_of_the_other_networks_it_says_where_they_lie(python, tmp_path):
    """File and place; and the file, put there, is taken."""
    script = (
        "import holicam as hc\n"
        f"print(len(hc.class_names({OTHER!r})))\n"
        f"try: hc.load_model({OTHER!r})\n"
        "except FileNotFoundError as error: print(error)\n"
    )
    count, said = run(python, "-c", script, cwd=tmp_path, env=alone()).splitlines()
    place = Path(said.partition(" is missing: ")[0])
    assert count == "10" and place.name == f"{OTHER}.safetensors" and place.parent.is_dir()
    address = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    assert said.partition(" is missing: ")[2] == (
        f"put the file data/{OTHER}.safetensors of {address} there, or train it with `python -m holicam train {OTHER}`."
    )
    place.symlink_to(ROOT / "data" / place.name)
    try:
        run(python, "-c", f"import holicam as hc; hc.load_model({OTHER!r})", cwd=tmp_path, env=alone())
    finally:
        place.unlink()


def test_a_command_runs_from_the_wheel(python, tmp_path):
    picture(tmp_path / "photo.jpg", (96, 64))
    words = ["explain", "photo.jpg", "--model", NETWORK, "--explainer", "grad-cam", "--out", "maps"]
    run(python, "-m", "holicam", *words, cwd=tmp_path, env={**alone(), "CUDA_VISIBLE_DEVICES": ""})
    made = {path.name for path in (tmp_path / "maps").iterdir()}
    assert made == {f"photo.{NETWORK}.grad-cam.layer4.{end}" for end in ("png", "safetensors")}


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
    assert "network efficientnet-lite0" in stored and "bn2" in stored
    assert re.sub(r"\d+%", "%", said) == re.sub(r"\d+%", "%", stored)
