"""What a GPU says, in one command under eight minutes: python3 -m tools.gpu (make gpu)

    tests      the tests marked `gpu`
    parity     every explainer and every metric, the CPU against the GPU        tools/gpu_parity.py
    gates      what we promise about speed and memory                          benchmarks/gates.py
    costs      what every explainer costs                                      benchmarks/explainers.py
    chapters   the printed numbers of the chapters                             tools/gpu_chapters.py

It runs with whichever of this Python, .venv and python3 has a PyTorch that sees a CUDA device. Nothing is installed and
nothing fetched: what needs a package that is missing is skipped with a word. Each step is a process with a limit of its
own, cut to what is left of --seconds; results of finished parts stay. They go to benchmarks/results/*-cuda.json, which
the speed page shows (`make pages`).

--device cpu rehearses all of it on a small part, into _build/gpu-rehearsal.

Returns 0 where all ran and is well, 1 where something is not, 2 without a CUDA device, 3 where time was short.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tools.ipynb import ROOT

RESULTS, REHEARSAL = ROOT / "benchmarks" / "results", ROOT / "_build" / "gpu-rehearsal"
SECONDS = 450.0  # of eight minutes; the rest is for looking around and for ending
GRACE = 8  # seconds between asking a step to end and ending it
NONE = "No Python here has a PyTorch that sees a CUDA device (tried {}), so nothing was measured."
PACKAGES = (
    "pytest safetensors matplotlib tqdm cv2 scipy pyarrow hypothesis captum skimage pytorch_grad_cam torchcam zennit "
    "IPython ipywidgets nbformat"
).split()
LOOK = (
    "import importlib.util as u, json, sys, torch; c = torch.cuda.is_available(); print(json.dumps({'cuda': c, "
    "'device': torch.cuda.get_device_name() if c else 'cpu', 'torch': torch.__version__, "
    "'missing': [p for p in sys.argv[1:] if u.find_spec(p) is None]}))"
)
DONE = re.compile(r"^(\S+::\S.*?) (PASSED|FAILED|ERROR|SKIPPED)", re.MULTILINE)


@dataclass
class Step:
    """name; seconds: the most it gets; command, run with the chosen Python; said: what came of it."""

    name: str
    seconds: float
    command: list[str]
    small: list[str] = field(default_factory=list)  # more arguments in a rehearsal
    said: str = "not run: no time left"
    code: int | None = None


def steps() -> list[Step]:
    """In the order of what they say for their time."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    marked = [str(p.relative_to(ROOT)) for p in tests if "pytest.mark.gpu" in p.read_text(encoding="utf-8")]
    pytest = ["-m", "pytest", "-m", "gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "-W", "ignore"]
    toy, device = ["--network", "toy-resnet50", "--only"], ["--device", "DEVICE"]
    return [
        Step("tests", 110, [*pytest, *marked], ["-k", "test_gpu"]),
        Step("parity", 110, ["-m", "tools.gpu_parity", *device], ["--only", "grad-cam", "lrp", "insertion"]),
        Step("gates", 60, ["benchmarks/gates.py"], [*toy, "cam"]),
        Step("costs", 90, ["benchmarks/explainers.py"], [*toy, "grad-cam", "--rounds", "1"]),
        Step("chapters", 150, ["-m", "tools.gpu_chapters", *device], ["book/16-pointing.ipynb"]),
    ]


def find_python(device: str) -> tuple[str, dict] | None:
    """The first Python with a PyTorch for the device, and what it has; None where there is none."""
    tried = [str(ROOT / ".venv" / "bin" / "python"), sys.executable, shutil.which("python3"), shutil.which("python")]
    for python in dict.fromkeys(p for p in tried if p and Path(p).exists()):
        try:
            done = subprocess.run([python, "-c", LOOK, *PACKAGES], capture_output=True, text=True, timeout=120)
            about = json.loads(done.stdout.splitlines()[-1])
        except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
            continue
        if about["cuda"] or device == "cpu":
            return python, about
    return None


def environment(device: str, missing: list[str]) -> dict[str, str]:
    """For the steps: this checkout first, no choice of the user's, a reader of weights where the package is missing."""
    path = [str(ROOT), *([str(ROOT / "tools" / "standins")] if "safetensors" in missing else [])]
    own = {k: v for k, v in os.environ.items() if not k.startswith("HOLICAM_") and k != "PYTHONPATH"}
    return {
        **own,
        "PYTHONPATH": os.pathsep.join(path),
        "HOLICAM_DEVICE": device,
        "MPLBACKEND": "Agg",
        "PYTHONUNBUFFERED": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
    }


def run(command: list[str], env: dict[str, str], seconds: float) -> tuple[int | None, str]:
    """(exit code, None where it was stopped; output, which is also shown). Its children are stopped with it."""
    lines, stopped = [], False
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    child = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, **pipe)

    def ring(*_):
        nonlocal stopped
        os.killpg(child.pid, signal.SIGKILL if stopped else signal.SIGINT)
        stopped = True
        signal.alarm(GRACE)

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(max(1, round(seconds)))
    try:
        for line in child.stdout:
            print("   ", line.rstrip(), flush=True)
            lines.append(line)
        child.wait()
    finally:
        signal.alarm(0)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return None if stopped else child.returncode, "".join(lines)


def record_tests(output: str, about: dict, code: int | None, path: Path) -> str:
    """Writes what the tests said, as far as they came, and returns it in words."""
    found = dict(DONE.findall(output))
    counts = {word.lower(): sum(w == word for w in found.values()) for word in ("PASSED", "FAILED", "ERROR", "SKIPPED")}
    failed = [n for n, word in found.items() if word in ("FAILED", "ERROR")]
    result = {"device": about["device"], "torch": about["torch"], "date": time.strftime("%Y-%m-%d"), **counts}
    path.write_text(json.dumps({**result, "complete": code is not None, "names": failed}, indent=1) + "\n")
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "nothing ran"


def take(step: Step, python: str, about: dict, options: argparse.Namespace, left: float) -> None:
    """One step."""
    small = options.device == "cpu"
    seconds = min(step.seconds, left)
    command = [python, *(options.device if part == "DEVICE" else part for part in step.command)]
    command += step.small if small else []
    if step.name != "tests":  # these end by themselves, and keep what they have
        command += ["--results", str(options.results), "--seconds", f"{max(seconds - 15, 1):.0f}"]
    if step.name == "tests" and "pytest" in about["missing"]:
        step.said = "skipped: pytest is not installed"
        return
    step.code, output = run(command, environment(options.device, about["missing"]), seconds)
    if step.name == "tests" and step.code == 3:  # what pytest says of an error of its own
        step.code = 70
    words = {0: "well", 1: "not all well", 3: "time was short", 5: "nothing to run", None: "stopped: out of time"}
    step.said = words.get(step.code, f"failed with exit code {step.code}")
    if step.name == "tests":
        path = options.results / f"tests-{'cuda' if about['cuda'] and not small else 'cpu'}.json"
        step.said = f"{step.said}: {record_tests(output, about, step.code, path)}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all steps together")
    parser.add_argument("--only", nargs="*", choices=[s.name for s in steps()], help="these steps")
    parser.add_argument("--results", type=Path, help="the folder to write to")
    options = parser.parse_args(argv)
    options.results = (options.results or (RESULTS if options.device == "cuda" else REHEARSAL)).resolve()
    end, chosen = time.monotonic() + options.seconds, find_python(options.device)
    if chosen is None:
        print(NONE.format(", ".join(p for p in (".venv", "python3") if p)), file=sys.stderr)
        return 2
    python, about = chosen
    options.results.mkdir(parents=True, exist_ok=True)
    print(f"{about['device']}, torch {about['torch']}, by {python}")
    if about["missing"]:
        print("Not installed, so what needs them is skipped:", ", ".join(about["missing"]))
    todo = [step for step in steps() if not options.only or step.name in options.only]
    for step in todo:
        left = end - time.monotonic()
        if left < 20:
            break
        print(f"--- {step.name} (at most {min(step.seconds, left):.0f} s)", flush=True)
        began = time.monotonic()
        take(step, python, about, options, left)
        step.said += f"; {time.monotonic() - began:.0f} s"
    print("\n".join(["---", *(f"{step.name:9} {step.said}" for step in todo), f"Results: {options.results}"]))
    if any(step.code not in (0, 3, 5, None) for step in todo):
        return 1
    return 0 if all(step.code in (0, 5) or step.said.startswith("skipped") for step in todo) else 3


if __name__ == "__main__":
    sys.exit(main())
