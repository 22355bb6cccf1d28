"""The page *Your own method*: its files and commands, as they are printed, from an empty folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import holicam as hc
from tests.helpers.commands import photo

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book/your-own.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\{code-block\} \w+\n:caption: (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SHOWN = "\n".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)).splitlines()


def words(line: str) -> list[str]:
    """A command in this environment."""
    command = {"$ holicam": [sys.executable, "-m", "holicam"], "$ python": [sys.executable]}
    first = next(start for start in command if line.startswith(f"{start} "))
    return [*command[first], *line.removeprefix(first).split()]


def test_the_method_has_fifteen_lines():
    assert len(FILES["my_cam.py"].splitlines()) == 15 and set(FILES) >= {"check.py", "my_score.py", "mine.toml"}


def test_files_and_commands_of_the_page(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    photo(tmp_path / "photo.jpg", (300, 200))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    said = {}
    for line in (line for line in SHOWN if line.startswith("$ ")):
        done = subprocess.run(words(line), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said[line] = done.stdout
    for line, answer in pairwise(SHOWN):
        assert answer.startswith("$ ") or not line.startswith("$ ") or not answer or answer in said[line], answer
    listed = said["$ holicam info --load my_cam.py --load my_score.py"]
    assert "my_cam:TopCAM: explainer of layer" in listed and "my_score:peak: metric, higher is better" in listed
    assert (tmp_path / "maps/photo.toy-resnet50.my_cam-TopCAM+grad-cam.layer3.png").exists()
    manifest = json.loads((tmp_path / "results/mine/manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["own"]) == {"my_cam.py", "my_score.py"}
    assert manifest["config"]["dataset"]["n"] == len(manifest["images"]) == 20
    report = (tmp_path / "results/mine/report.html").read_text(encoding="utf-8")
    assert "20 images" in report and "TopCAM" in report and "my_score:peak" in report and "data:image/jpeg" in report


def test_what_the_page_names_is_there():
    """Parameters of metrics, options of data sets, attributes of networks, as the code has them."""
    from holicam.metrics.call import SHARED

    told = PAGE.partition("what it reads of this list: ")[2].partition(";")[0]
    assert re.findall(r"`(\w+)`", told) == list(SHARED)
    tables = [tomllib.loads(text) for text in re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
    assert all(table["dataset"]["name"] in hc.datasets.registry for table in tables) and tables
