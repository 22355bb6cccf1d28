"""A Python of its own in an empty folder, and notebooks that run with it: what a reader has who is not here."""

import json
import os
import shutil
import site
import subprocess
import sysconfig
import venv
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run(*command, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert not done.returncode, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def environment(folder: Path, with_pip: bool = False) -> tuple[Path, Path]:
    """A Python without holicam, and its site-packages. PyTorch and the rest are borrowed by a .pth file.

    An editable holicam in the borrowed folder is not seen: its hook lies in a .pth of its own, and .pth files count
    only in a folder that Python itself adds.
    """
    venv.create(folder, with_pip=with_pip, symlinks=True)
    places = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", "venv", places))
    for old in own.glob("setuptools*"):  # what an older Python brings cannot read our pyproject.toml
        shutil.rmtree(old)
    (own / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python", own


def alone() -> dict[str, str]:
    """This environment without what would lead back to the repository or to a choice of yours."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("HOLICAM_")}


def executed(path: Path, python: Path, folder: Path, monkeypatch, **variables: str) -> nbformat.NotebookNode:
    """A notebook after a run in `folder`, with a kernel of `python`. An error in a cell is raised."""
    spec = folder.parent / f"{folder.name}-jupyter" / "kernels" / "elsewhere"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "elsewhere", "language": "python"}))
    for name in set(os.environ) - set(alone()):
        monkeypatch.delenv(name)
    for name, value in {"JUPYTER_PATH": str(spec.parent.parent), **variables}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import holicam; print(holicam.__file__)"))
    NotebookClient(
        notebook, timeout=600, kernel_name="elsewhere", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def printed(notebook) -> str:
    """All that the cells have printed."""
    return "".join(
        o.get("text", "")
        for c in notebook["cells"]
        if c["cell_type"] == "code"
        for o in c["outputs"]
        if o.get("name") == "stdout"
    )
