"""Run the lecturer's notebooks, so that every answer is computed with the numbers of the SEED."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tools.ipynb import ROOT, as_text


def run(source: Path, target: Path) -> float:
    """Execute a notebook into `target`; what it writes lies beside that. Returns the points its tests would give.

    Raises nbclient's CellExecutionError where an answer does not pass its own tests.
    """
    import nbformat
    from nbclient import NotebookClient

    target.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(source, as_version=4)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    try:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(target.parent)}}).execute()
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    target.write_text(as_text(json.loads(nbformat.writes(notebook))), encoding="utf-8")
    graded = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    return sum(said["points"] for said in graded if said.get("grade") and not said["solution"])
