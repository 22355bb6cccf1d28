"""A Python of its own in an empty folder, and notebooks that run with it: what a reader has who is not here."""

import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.helpers.packages import brought, declared, link


def run(*command, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert not done.returncode, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def environment(folder: Path, wanted: Iterable[str], own: list[str] | None = None) -> tuple[Path, Path]:
    """A Python that has what a list of requirements brings, and nothing else that is installed here; its site-packages.

    Holicam is what the list names it for, its dependencies, and not there itself.

    wanted: requirements, as in requirements.txt. own: what holicam needs; None asks pyproject.toml.
    """
    venv.create(folder, symlinks=True)
    places = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", places))
    link(brought(wanted, declared() if own is None else own), packages)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python", packages


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
