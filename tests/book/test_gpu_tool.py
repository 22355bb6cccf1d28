"""make gpu: its machinery without a GPU, and that what is marked `gpu` runs on a machine that has little installed."""

from __future__ import annotations

import ast
import importlib
import json
import sys
import time
from pathlib import Path

import pytest
import torch

import holicam as hc
from tests.helpers.nets import TinyNet
from tests.helpers.pretend import Machine
from tools import gpu, gpu_chapters, gpu_parity
from tools.cells import cells_of, differences, run_cell
from tools.gpu import Step

ROOT = Path(__file__).resolve().parents[2]


# --- steps, limits, what is kept ----------------------------------------------------------------------

HERE = (sys.executable, {"cuda": False, "device": "cpu", "torch": torch.__version__, "missing": []})


@pytest.fixture
def rehearse(monkeypatch, tmp_path, capfd):
    """Runs gpu.py with steps that are one-line programs: (exit code, what it said, the folder)."""

    def run(*steps: tuple[str, float, str], seconds: float = 300) -> tuple[int, str, Path]:
        made = [Step(name, limit, ["-c", program]) for name, limit, program in steps]
        monkeypatch.setattr(gpu, "steps", lambda: made)
        monkeypatch.setattr(gpu, "find_python", lambda device: HERE)
        code = gpu.main(["--device", "cpu", "--results", str(tmp_path), "--seconds", str(seconds)])
        return code, capfd.readouterr().out, tmp_path

    return run


def test_all_steps_run_with_the_settings_of_a_device(rehearse):
    show = "import os, sys; print(os.environ['HOLICAM_DEVICE'], 'HOLICAM_MODEL' in os.environ, sys.argv[1:3])"
    code, said, folder = rehearse(("parity", 60, show), ("costs", 60, "print('done')"))
    assert code == 0 and f"    cpu False ['--results', '{folder}']" in said and "    done" in said
    assert said.index("--- parity (at most 60 s)") < said.index("--- costs") < said.index("parity    well; ")


@pytest.mark.parametrize(
    ("program", "code", "word"),
    [
        ("raise SystemExit(1)", 1, "not all well"),
        ("raise SystemExit(3)", 3, "time was short"),
        ("1 / 0", 1, "not all well"),
        ("import os; os.abort()", 1, "failed with exit code -6"),
    ],
)
def test_a_step_that_fails_stops_no_other(rehearse, program, code, word):
    found, said, _ = rehearse(("gates", 60, program), ("costs", 60, "print('done')"))
    assert found == code and f"gates     {word}" in said and "costs     well" in said


def test_a_step_that_hangs_is_stopped_and_what_it_said_stays(rehearse, monkeypatch):
    monkeypatch.setattr(gpu, "GRACE", 1)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);print('first', flush=True); time.sleep(60)"
    )
    began = time.monotonic()
    code, said, _ = rehearse(("gates", 1, stubborn), ("costs", 60, "print('done')"))
    assert time.monotonic() - began < 30
    assert code == 3 and "    first" in said and "gates     stopped: out of time" in said and "costs     well" in said


def test_what_there_is_no_time_for_is_named(rehearse):
    code, said, _ = rehearse(("gates", 60, "print('done')"), seconds=10)
    assert code == 3 and "gates     not run: no time left" in said


def test_without_a_gpu_there_is_one_sentence(monkeypatch, capfd):
    monkeypatch.setattr(gpu, "find_python", lambda device: None)
    assert gpu.main([]) == 2
    out, said = capfd.readouterr()
    assert not out and said.count("\n") == 1 and "no python here" in said.lower() and said.strip().endswith(".")


def test_tests_are_recorded_as_far_as_they_came(tmp_path):
    output = (
        "tests/test_a.py::test_one PASSED   [ 10%]\ntests/test_a.py::test_two[a b] FAILED [ 20%]\n"
        "tests/test_b.py::test_three SKIPPED (no CUDA device here) [ 30%]\ntests/test_b.py::test_four "
    )
    words = gpu.record_tests(output, HERE[1], None, tmp_path / "tests-cpu.json")
    written = json.loads((tmp_path / "tests-cpu.json").read_text())
    assert words == "1 passed, 1 failed, 1 skipped" and not written["complete"]
    assert written["names"] == ["tests/test_a.py::test_two[a b]"] and written["passed"] == 1


def test_its_steps_are_there():
    steps = {step.name: step for step in gpu.steps()}
    assert list(steps) == ["tests", "parity", "gates", "costs", "chapters"] and gpu.SECONDS < 480
    for step in steps.values():
        files = [f"{part.replace('.', '/')}.py" if part.startswith("tools.") else part for part in step.command]
        assert all((ROOT / file).exists() for file in files if file.endswith(".py"))
    assert "tests/core/test_gpu.py" in steps["tests"].command


# --- what a bare machine can run ----------------------------------------------------------------------

BARE = {"torch", "torchvision", "numpy", "cv2", "PIL", "pytest", "holicam"}  # a lent machine has these


def imported(path: Path, seen: set[Path]) -> set[str]:
    """Packages that are imported when a file is, those of our own files included."""
    found: set[str] = set()
    if path in seen:
        return found
    seen.add(path)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        for name in names:
            module = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
            places = [module, [*module, *name.split(".")]]  # a name may be a file of a folder
            own = [ROOT.joinpath(*place).with_suffix(".py") for place in places if place and place[0] != "holicam"]
            ours = [p for p in own if p.is_file()]
            outside = [(module or name.split("."))[0]] if not ours else []
            found |= set().union(outside, *(imported(p, seen) for p in ours))
    return found


@pytest.mark.parametrize(
    "path", [ROOT / part for part in gpu.steps()[0].command if part.startswith("tests/")], ids=lambda p: p.stem
)
def test_a_file_with_tests_for_a_gpu_needs_nothing_else(path):
    assert imported(path, set()) - set(sys.stdlib_module_names) <= BARE


def test_property_tests_are_skipped_where_hypothesis_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    name = "tests.helpers.properties"
    monkeypatch.delitem(sys.modules, name, raising=False)
    stand_in = importlib.import_module(name)
    sys.modules.pop(name)

    @stand_in.settings(max_examples=3)
    @stand_in.given(stand_in.st.integers(1, 3), stand_in.st.lists(stand_in.st.floats()))
    def test_something(number, numbers):
        raise AssertionError

    with pytest.raises(pytest.skip.Exception, match="hypothesis"):
        test_something()


def test_weights_are_read_without_their_package(monkeypatch):
    from safetensors.torch import load_file

    path = hc.models.data_folder() / "toy-resnet50.safetensors"
    expected = load_file(path)
    for name in [n for n in sys.modules if n.split(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "standins"))
    plain = importlib.import_module("safetensors.torch")
    assert "standins" in plain.__file__
    found = plain.load_file(path)
    assert found.keys() == expected.keys() and all(torch.equal(found[k], v) for k, v in expected.items())
    for name in [n for n in sys.modules if n.split(".")[0] == "safetensors"]:
        sys.modules.pop(name)


def test_peers_that_are_missing_are_left_out(monkeypatch):
    find = importlib.util.find_spec
    gone = {"pytorch_grad_cam", "torchcam", "captum", "zennit"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in gone else find(name, *a))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("peers", "timing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    peers, timing = importlib.import_module("peers"), importlib.import_module("timing")
    assert not peers.HERE and not peers.PEERS
    assert timing.Clock(None).left() == float("inf") and timing.Clock(-1).left() < 0
    for name in ("peers", "timing"):
        sys.modules.pop(name)


# --- chapters without a kernel ------------------------------------------------------------------------


def notebook(path: Path, *cells: tuple[str, list[dict]]) -> Path:
    code = [{"cell_type": "code", "source": source.splitlines(True), "outputs": outputs} for source, outputs in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# A"]}, *code], "metadata": {}}))
    return path


def printed(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text.splitlines(True)}


def result(text: str, **more: str) -> dict:
    return {"output_type": "execute_result", "data": {"text/plain": [text], **more}}


CELLS = [
    ("import dataclasses\nx = 2 / 3\nprint(f'{x:.3f}')\nx > 0", [printed("0.667\n"), result("True")]),
    ("print(f'{x:.2f}')\n{'a': 1,\n 'b': 2}", [printed("0.66\n"), result("{'a': 1,\n 'b': 2}")]),  # one unit is allowed
    ("@dataclasses.dataclass\nclass A:\n    y: float = x\nA()", [result("<Figure>", **{"image/jpeg": "..."})]),
    ("print('other')", [printed("stored\n")]),
    ("x;", []),
    ("None", []),
    ("import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))", [printed("def f():\n    return 1\n\n")]),
]


def test_cells_run_and_are_compared(tmp_path):
    path = notebook(tmp_path / "01-a.ipynb", *CELLS)
    assert [(c.number, c.result is None) for c in cells_of(path)][:3] == [(1, False), (2, False), (3, True)]
    found = list(differences(path))
    assert [None if d is None else (d[0].number, d[1], d[2]) for d in found] == [
        None,
        None,
        None,
        (4, "stored\n", "other\n"),
        None,
        None,
        None,
    ]


def test_a_chapter_that_stops_says_where(tmp_path):
    cpu = torch.device("cpu")
    for cell, words in (
        ("import nothing_like_this", "cell 2 needs nothing_like_this, which is not installed"),
        ("1 / 0", "cell 2: ZeroDivisionError"),
        ("while True: pass", "cell 2 was not done after"),
    ):
        row = gpu_chapters.run_chapter(notebook(tmp_path / "01-a.ipynb", CELLS[0], (cell, [])), cpu, 0.5)
        assert row["stopped"].startswith(words) and row["cells"] == 1 and not row["differ"]


def test_chapters_are_recorded_one_by_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOLICAM_MODEL", "resnet50")
    good, bad = (notebook(tmp_path / f"0{i}-a.ipynb", CELLS[k]) for i, k in ((1, 0), (2, 3)))
    options = ["--device", "cpu", "--results", str(tmp_path / "out")]
    with monkeypatch.context() as own:
        own.setattr(gpu_chapters.os, "environ", dict(gpu_chapters.os.environ))
        assert gpu_chapters.main([str(good), *options]) == 0
        assert gpu_chapters.main([str(good), str(bad), *options]) == 1
        written = json.loads((tmp_path / "out" / "chapters-cpu.json").read_text())
        assert [row["chapter"] for row in written["rows"]] == ["01-a", "02-a"] and not written["not_run"]
        assert written["rows"][1]["differ"] == [{"cell": 1, "stored": "stored\n", "now": "other\n"}]
        assert gpu_chapters.main([str(good), *options, "--seconds", "0"]) == 3
        assert "no time left for 01-a" in capsys.readouterr().out


def test_tensors_follow_to_the_device_but_for_what_is_written_to():
    with Machine() as machine:
        here, there = torch.arange(3.0), machine.to(torch.ones(3))
        with pytest.raises(RuntimeError):
            here + there
        with gpu_chapters.Follow(there.device):
            assert torch.equal((here + there).inner, torch.tensor([1.0, 2, 3]))
            assert torch.stack([here, there]).device == there.device
            there += here  # what is written to stays where it is
            assert torch.equal(there.inner, torch.tensor([1.0, 2, 3]))
            with pytest.raises(RuntimeError, match="same device"):
                here += there
            with pytest.raises(RuntimeError, match="shape|size"):  # any other error stays
                here + torch.ones(2)


def test_a_chapter_moves_to_a_device_as_it_is(tmp_path, monkeypatch):
    """Networks and images go there; a chapter's own tensors follow; what it prints is what the CPU prints."""
    source = (
        "import torch, holicam as hc\nnet = hc.load_model('toy-resnet50')\n"
        "scene = hc.toyland.batch(1, split='test', size=64)\n"
        "maps = hc.GradCAM()(net, scene.images, 'layer4', scene.target)\n"
        "weight = torch.linspace(0, 1, 64)\nprint(maps.device.type, net(scene.images).device.type)\n"
        "print(f'{(maps * weight).mean():.5f}')\nmaps.shape"
    )
    with monkeypatch.context() as plain:
        plain.setattr(hc.models, "load_model", lambda name, place="cpu": TinyNetAsToy())
        plain.setattr(hc, "load_model", hc.models.load_model)
        expected, shape = run_cell(cells_of(notebook(tmp_path / "01-a.ipynb", (source, [])))[0], {}, "a")
    expected = expected.replace("cpu", "meta")
    path = notebook(tmp_path / "02-b.ipynb", (source, [printed(expected), result(shape)]))
    with Machine() as machine:
        monkeypatch.setattr(hc.models, "load_model", lambda name, place: machine.move(TinyNetAsToy()))
        row = gpu_chapters.run_chapter(path, torch.device("meta"), 60)
    assert not row["stopped"] and not row["differ"] and row["cells"] == 1, row


class TinyNetAsToy(TinyNet):
    """With a layer of the name that the cell reads."""

    def __init__(self):
        super().__init__(classes=10)
        self.layer4 = self.relu2


# --- parity -------------------------------------------------------------------------------------------


def test_difference_is_relative_and_nan_must_meet_nan():
    nan, one = float("nan"), torch.tensor([1.0, -4.0])
    assert gpu_parity.difference(one + 0.4, one) == pytest.approx(0.1)
    assert gpu_parity.difference(torch.tensor([nan, 2]), torch.tensor([nan, 2])) == 0
    assert gpu_parity.difference(torch.tensor([nan, 2]), torch.tensor([1.0, 2])) == float("inf")
    assert gpu_parity.difference(torch.zeros(2) + 1e-9, torch.zeros(2)) == pytest.approx(1e-9)


def test_parity_covers_everything_and_keeps_what_it_has(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hc, "load_model", lambda name: TinyNetAsToy())
    monkeypatch.setattr(gpu_parity, "SIZE", 32)
    options = ["--device", "cpu", "--results", str(tmp_path)]
    assert gpu_parity.main([*options, "--only", "grad-cam", "random", "epg", "infidelity", "rise", "score-cam"]) == 1
    written = json.loads((tmp_path / "parity-cpu.json").read_text())
    rows = {row["name"]: row for row in written["rows"]}
    assert rows["grad-cam"]["float32"] == rows["epg"]["float64"] == 0 and rows["epg"]["kind"] == "metric"
    assert "LayerNotFoundError" in rows["score-cam"]["failed"] and "BEYOND" in capsys.readouterr().out  # no layer1
    assert gpu_parity.main([*options, "--only", "grad-cam", "epg"]) == 0
    assert gpu_parity.main([*options, "--seconds", "0"]) == 3
    left = capsys.readouterr().out.split("no time left for ")[1]
    assert set(left.strip().split(", ")) == {*hc.explainers, *hc.metrics.registry}
