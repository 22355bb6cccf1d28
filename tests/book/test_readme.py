"""The README's commands run as they are printed, in a shell, from wherever the environment lies."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from holicam.__main__ import app
from holicam.models.called import called
from tests.helpers.commands import photo

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip()
]
OURS = [line for line in LINES if re.search(r"\bholicam (explain|evaluate|merge|report|train)\b", line)]
CHEAP = [line for line in OURS if "--dry-run" in line or ("explain" in line and "toy" in line)]
LONG = [
    line
    for line in OURS
    if line not in CHEAP and " train " not in line and "torchrun" not in line and "--model resnet50" not in line
]
INSTALLED = Path(sys.prefix, "bin", "holicam")
installed = pytest.mark.skipif(not INSTALLED.exists(), reason="holicam is not installed in this environment")


@pytest.fixture
def clone(tmp_path):
    """A folder with an environment and a photograph, and nothing else of ours."""
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    photo(tmp_path / "photo.jpg", (300, 200))
    return tmp_path


def shell(line: str, folder: Path) -> subprocess.CompletedProcess:
    here = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(["bash", "-c", line], cwd=folder, env=here, capture_output=True, text=True)


def test_every_line_is_of_a_kind_that_is_checked():
    assert len(OURS) >= 7 and len(CHEAP) >= 2 and len(LONG) >= 3
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.M))
    targets = {target for names in targets for target in names.split()}
    for line in LINES:
        first = line.split()[0]
        if first == "make":
            assert line.split()[1] in targets, line
        elif line not in OURS:
            assert first in ("git", "python3") or first.startswith(".venv/bin/"), line


@pytest.mark.parametrize("line", OURS)
def test_every_option_is_known(line):
    words = shlex.split(line)
    words = words[words.index("holicam") + 1 :] if "holicam" in words else words[1:]
    command = typer.main.get_command(app)
    with command.make_context("holicam", words, resilient_parsing=False) as context:
        name, chosen, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        with chosen.make_context(name, rest, parent=context) as inner:
            assert not inner.args


@installed
@pytest.mark.parametrize("line", CHEAP)
def test_cheap_ones_run(clone, line):
    done = shell(line, clone)
    assert done.returncode == 0, done.stderr
    if "explain" in line:
        assert {p.name for p in clone.glob("maps/*")} == {
            f"photo.toy-resnet50.grad-cam.layer4.{end}" for end in ("png", "safetensors")
        }


@installed
@pytest.mark.slow
def test_the_others_run_one_after_another(clone):
    for line in LONG:
        done = shell(line, clone)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert (clone / "results" / "holistic-cam-table6" / "report.md").exists()


@pytest.mark.parametrize(
    "argv, main, shown",
    [
        ("/env/bin/holicam", None, "/env/bin/holicam train 'a b'"),
        ("{cwd}/.venv/bin/holicam", None, ".venv/bin/holicam train 'a b'"),
        ("{path}/holicam", None, "holicam train 'a b'"),
        ("/x/holicam/__main__.py", "/env/bin/python3", "/env/bin/python3 -m holicam train 'a b'"),
        ("/x/holicam/__main__.py", "{path}/python3", "python -m holicam train 'a b'"),
        ("/x/notebook.py", None, "python -m holicam train 'a b'"),
    ],
)
def test_commands_in_messages_can_be_typed(tmp_path, monkeypatch, argv, main, shown):
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("holicam", "python"):
        (path / name).write_text("")
        (path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr("sys.argv", [argv.format(cwd=tmp_path, path=path)])

    class Main:
        __spec__ = None if main is None else type("Spec", (), {"name": "holicam.__main__"})

    monkeypatch.setitem(sys.modules, "__main__", Main)
    monkeypatch.setattr(sys, "executable", (main or sys.executable).format(path=path))
    assert called("train", "a b") == shown
