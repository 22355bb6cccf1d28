"""A built wheel carries data/: installed alone, it loads a trained network."""

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NETWORK = "toy-resnet50"


def run(*command, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert not done.returncode, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy, so that no build/ folder of yours is used or made."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-text.md"):
        shutil.copy(ROOT / name, source)
    for name in ("holicam", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q",
        "-w", out, source)
    return next(out.glob("holicam-*.whl"))


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel) -> Path:
    """A Python whose only package is the wheel; PyTorch and the rest are borrowed by a .pth file.

    An editable holicam in the borrowed folder is not seen: its hook lies in a .pth of its own, and
    .pth files count only in a folder that Python itself adds.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False, symlinks=True)
    places = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", "venv", places))
    run(sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", own, wheel)
    (own / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def test_data_is_in_the_wheel(wheel):
    import zipfile

    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "data").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert f"holicam/data/{path.relative_to(ROOT / 'data').as_posix()}" in names
    assert "holicam/toyland/__init__.py" in names


def test_wheel_loads_a_network(python, tmp_path):
    script = (
        "import pathlib, torch, holicam as hc\n"
        f"model = hc.load_model({NETWORK!r})\n"
        "with torch.no_grad(): print(tuple(model(torch.zeros(1, 3, 64, 64)).shape))\n"
        "print(pathlib.Path(hc.__file__).resolve())\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    said = run(python, "-c", script, cwd=tmp_path, env=environment).split("\n")
    assert said[0] == "(1, 10)"
    assert not Path(said[1]).is_relative_to(ROOT), "the repository was used, not the wheel"
