"""The house: who may import whom, how long the core is, what `import holicam` loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "holicam"

# A file imports only files of lower floors. Files of one floor may share it where `SAME` says so.
FLOORS = {
    "__main__": 5,
    "explain_photos": 5,
    "evaluate_cli": 5,
    "said": 5,
    "captions": 5,
    "mapfiles": 5,
    "seen": 5,
    "asked": 5,
    "shown": 5,
    # The runner, from what is asked to what is told; a file imports only files of lower steps.
    "evaluate": 4.7,
    "report": 4.7,
    "report_formats": 4.7,
    "stored": 4.7,
    "trying": 4.6,
    "report_curves": 4.6,
    "parts": 4.5,
    "rows": 4.5,
    "remarks": 4.5,
    "joining": 4.4,
    "measured": 4.4,
    "prepared": 4.3,
    "partfile": 4.3,
    "failures": 4.3,
    "manifest": 4.2,
    "costs": 4.2,
    "units": 4.1,
    "pairs": 4.1,
    "loading": 4.1,
    "workers": 4.1,
    "presets": 4.1,
    "looking": 4,
    "plan": 4,
    "intervals": 4,
    "printed": 4,
    "train": 4,
    "card": 4,
    "explain": 3,
    "askonce": 3,
    "gradcam": 2,
    "normgrad": 2,
    "multiscale": 2,
    "holistic": 2,
    "eigencam": 2,
    "joint": 2,
    "smooth": 2,
    "iia": 2,
    "msgcam": 2,
    "polycam": 2,
    "ucag": 2,
    "scorecam": 2,
    "perturb": 2,
    "extremal": 2,
    "gradient": 2,
    "integrated": 2,
    "backprop": 2,
    "channelcam": 2,
    "fullgrad": 2,
    "imageterm": 2,
    "relevance": 2,
    "controls": 2,
    "metrics": 2,
    "sanity": 2,
    "unfold": 1,
    "asking": 1,
    "randommasks": 1,
    "smoothmasks": 1,
    "passes": 1,
    "masks": 1,
    "polyscores": 1,
    "inputs": 1,
    "capture": 1,
    "fusion": 1,
    "lowpass": 1,
    "stream": 1,
    "guard": 0,
    "network": 0,
    "checks": 0,
    "graph": 0,
    "targets": 0,
    "hardware": 0,
    "cam": 0,
    "ops": 0,
    "settings": 0,
    "tokens": 0,
    "models": 0,
    "layersets": 0,
    "toynets": 0,
    "toyland": 0,
    "photos": 0,
    "datasets": 0,
    "outputs": 0,
    "floats": 0,
    "weights": 0,
    "boxes": 0,
    "prepare": 0,
    "depth": 0,
    "device": 0,
    "files": 0,
    "called": 0,
    "findclass": 0,
    "speed": 0,
    "memory": 0,
    "kinds": 0,
    "layernames": 0,
    "forms": 0,
    "layout": 0,
}
SAME = {
    ("settings", "hardware"),
    ("ops", "targets"),
    ("__main__", "explain_photos"),
    ("__main__", "evaluate_cli"),
    ("__main__", "said"),
    ("evaluate_cli", "said"),
    ("explain_photos", "captions"),
    ("explain_photos", "mapfiles"),
    ("explain_photos", "seen"),
    ("explain_photos", "said"),
    ("captions", "mapfiles"),
    ("card", "train"),
    ("report", "report_formats"),
    ("report_formats", "report"),
    ("evaluate_cli", "asked"),
    ("evaluate_cli", "shown"),
    ("shown", "said"),
    ("fullgrad", "imageterm"),
    ("imageterm", "relevance"),
    ("ucag", "gradcam"),
    ("asking", "capture"),
    ("holistic", "multiscale"),
    ("msgcam", "multiscale"),
    ("msgcam", "metrics"),
    ("eigencam", "gradcam"),
    ("polycam", "channelcam"),
    ("polyscores", "masks"),
    ("polyscores", "capture"),
    ("layersets", "ops"),
    ("stream", "capture"),
    ("passes", "capture"),
    ("passes", "fusion"),
    ("masks", "stream"),
    ("masks", "capture"),
    ("inputs", "stream"),
    ("inputs", "capture"),
    ("network", "guard"),
    ("guard", "checks"),
    ("graph", "checks"),
    ("graph", "layernames"),
    ("cam", "checks"),
    ("cam", "ops"),
    ("settings", "ops"),
    ("models", "toynets"),
    ("models", "toyland"),
    ("photos", "prepare"),
    ("photos", "depth"),
    ("prepare", "models"),
    ("models", "called"),
    ("prepare", "toyland"),
    ("prepare", "toynets"),
    ("datasets", "toyland"),
    ("datasets", "photos"),
    ("sanity", "controls"),
    ("ops", "outputs"),
    ("outputs", "checks"),
    ("ops", "floats"),
    ("models", "weights"),
    ("datasets", "boxes"),
    ("datasets", "depth"),
    ("models", "layernames"),
    ("layersets", "layernames"),
    ("layernames", "forms"),
    ("network", "forms"),
    ("network", "memory"),
    ("layout", "layernames"),
    ("layout", "ops"),
    ("layout", "tokens"),
}
# Only the book and the command line (floor 5) import these.
BESIDE = {"plot", "setup", "explore", "edition", "exercises", "turn", "live"}
CORE = ("cam", "ops", "capture", "fusion", "lowpass", "holistic")
CORE_LINES = 900

FILES = sorted(PACKAGE.rglob("*.py"))


def top(path: Path) -> str:
    """The file's place in the house: a sub-package counts as one file."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """The files of holicam that a file imports, at its top or inside a function."""
    inside = len(path.relative_to(PACKAGE).parts) - 1
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")
            if node.level == inside + 1:
                found |= {module[0]} if module[0] else {alias.name for alias in node.names}
            elif not node.level and module[0] == "holicam":
                found |= {module[1]} if module[1:] else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("holicam.")}
    return found - {top(path)}


def test_every_file_has_a_floor():
    assert {top(path) for path in FILES} - {"__init__"} <= FLOORS.keys() | BESIDE


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    name = top(path)
    if name == "__init__":
        return
    for other in imports(path):
        if other in BESIDE:
            assert name in BESIDE or FLOORS[name] == 5, f"{name} imports {other}, which lies beside"
        elif other in FLOORS and name in FLOORS:
            down = FLOORS[other] < FLOORS[name] or (name, other) in SAME
            assert down, f"{name} (floor {FLOORS[name]}) imports {other} (floor {FLOORS[other]})"


def test_core_is_short():
    lines = {
        name: len((PACKAGE / f"{name}.py").read_text(encoding="utf-8").splitlines())
        for name in CORE
        if (PACKAGE / f"{name}.py").exists()
    }
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
