"""The house: who may import whom, how long the core is, what `import holicam` loads."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "holicam"
ROOMS = {"toyland", "models", "datasets", "core", "methods", "metrics", "notebook", "experiments"}
# What a reader must understand to own a map: from a layer's tensors to Holistic-CAM.
CORE = (
    "core/ops",
    "core/capture",
    "methods/cams/weights",
    "methods/cams/fusion",
    "methods/cams/lowpass",
    "methods/cams/holistic",
)
CORE_LINES = 900


def test_eight_rooms_and_nothing_beside_them():
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"} == ROOMS
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


def lint(folder: Path) -> tuple[int, str]:
    """import-linter's exit status for the tree in a folder, and what it said."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder)})
    return done.returncode, done.stdout + done.stderr


def test_imports_go_one_way():
    status, said = lint(ROOT)
    assert status == 0, f"an import climbs or closes a circle; the contracts are in pyproject.toml:\n{said}"


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("core/ops.py", "from ..methods.cams import weights", "holicam.core is not allowed to import holicam.methods"),
        ("methods/cams/weights.py", "from .holistic import HolisticCAM", "No circle of imports"),
        ("cellar.py", "", "cellar"),
    ],
)
def test_the_contracts_notice(tmp_path, file, line, words):
    """An import that climbs, a circle inside a room, a ninth room."""
    shutil.copytree(PACKAGE, tmp_path / "holicam", ignore=shutil.ignore_patterns("__pycache__", "data", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "holicam" / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    status, said = lint(tmp_path)
    assert status and words in said


def test_core_is_short():
    lines = {name: len((PACKAGE / f"{name}.py").read_text(encoding="utf-8").splitlines()) for name in CORE}
    assert sum(lines.values()) < CORE_LINES, lines


def test_import_loads_torch_and_numpy_only():
    """What `import holicam` adds to `import torch, numpy` is holicam alone."""
    script = (
        "import sys, torch, numpy; before = {n.split('.')[0] for n in sys.modules}; import holicam;"
        "print(*sorted({n.split('.')[0] for n in sys.modules} - before - {'holicam'}))"
    )
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    added = set(said.stdout.split()) - set(sys.stdlib_module_names)
    assert not added, f"import holicam also loads {added}"
