"""What JupyterLab is shown of a chapter, and that saving gives back what was stored."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("jupyter_server")

from tools.chapters import load
from tools.ipynb import ROOT, source
from tools.lab import OURS, shown, stored, words
from tools.markup import ROLE

CHAPTERS = load()


def with_text(notebook):
    """Sources as text: Jupyter's server joins the lines, and writes them apart again."""
    return {**notebook, "cells": [{**cell, "source": source(cell)} for cell in notebook["cells"]]}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.path.stem)
def test_saving_gives_back_what_was_stored(chapter):
    seen = shown(chapter.notebook, words())
    assert with_text(stored(seen)) == with_text(chapter.notebook)
    assert stored(stored(seen)) == stored(seen)
    left = {
        found[1]
        for cell in seen["cells"]
        if cell["cell_type"] == "markdown"
        for found in ROLE.finditer(re.sub(r'\]\([^\s()]* "[^"]*"\)', "]", source(cell)))
    }
    assert not [role for role in left if role.startswith("cite")]
    below = [a for a, b in zip(seen["cells"], seen["cells"][1:], strict=False) if b["metadata"].get("holicam") == OURS]
    assert below == [cell for cell in seen["cells"] if "figure" in cell["metadata"].get("mystnb", {})]


def test_the_server_loads_no_pytorch():
    """It shows chapters and runs none: JupyterLab starts without the seconds and the memory that PyTorch takes."""
    script = "import sys, tools.lab; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_words_and_names_of_a_made_up_chapter():
    text = (
        "(sec-here)=\n# Here\n\n$$\na\n$$ (eq-a)\n\n"
        "By {eq}`eq-a` of {ref}`sec-here`, {eq}`eq-pge` of {ref}`sec-holistic-cam`, "
        "{cite:t}`chen2024holistic` {cite:p}`chen2024holistic`, {ref}`sec-of-nobody`, {ref}`so <sec-notation>`."
    )
    notebook = {"metadata": {}, "cells": [{"cell_type": "markdown", "metadata": {}, "source": text}]}
    said = shown(notebook, words())["cells"][0]["source"]
    assert "By {eq}`eq-a` of {ref}`sec-here`, [(7.1)](" in said
    assert '[Holistic-CAM](07-holistic-cam.ipynb "{ref}`sec-holistic-cam`")' in said
    assert "[(Chen" in said and "{ref}`sec-of-nobody`," in said and "[so](" in said
    assert notebook["cells"][0]["source"] == text == stored(shown(notebook, words()))["cells"][0]["source"]
