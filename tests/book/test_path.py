"""The core path on the first page, and the README's pictures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from tools import site_path
from tools.chapters import CORE
from tools.figures import readme
from tools.ipynb import BOOK, ROOT


def test_the_first_page_leads_along_the_core_path():
    intro = (BOOK / "intro.md").read_text(encoding="utf-8")
    assert "```{core-path}" in intro and "sec-which-method" in intro and "sec-toyland" in intro
    found = site_path.chapters()
    assert [chapter.number for chapter in found] == list(CORE)
    for chapter in found:
        said = site_path.line(chapter)
        assert f"<{chapter.label}>`, {chapter.minutes} minutes: " in said and said.endswith("?")
    hours = float(re.match(rf"{len(CORE)} chapters, about ([\d.]+) hours", site_path.told())[1])
    assert abs(60 * hours - sum(chapter.minutes for chapter in found)) <= 15


@pytest.mark.parametrize("name", readme.PICTURES)
def test_the_readme_s_pictures_are_what_the_code_draws(name):
    path = readme.FOLDER / name
    assert path.stat().st_size < readme.LARGEST
    stored, now = np.asarray(Image.open(path)).astype(int), readme.PICTURES[name]()
    assert stored.shape == now.shape and np.abs(stored - now).mean() < 4, f"run python -m tools.figures.readme: {name}"


def test_the_readme_opens_with_a_picture_and_shows_what_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text) + re.findall(r'<img src="()([^"]+)"', text)
    assert text.split("\n\n")[1].startswith("![") and {path for _, path in shown} >= {"book/figures/readme.jpg"}
    for _, path in shown:
        assert (ROOT / path).is_file(), path
