"""The laboratory by itself, in a browser: a page with its scripts and files, and what tests do on it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.browser import pixels
from tools import ipynb
from tools.ipynb import BOOK, ROOT
from tools.laboratory import parcel, runtime

HEAD = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>lab</title><link rel="icon" href="data:,">'
STYLE = '<link rel="stylesheet" href="laboratory.css"><meta name="viewport" content="width=device-width">'
SCRIPT = '<script type="module" src="laboratory/laboratory.mjs"></script>'
FIGURE = (
    '<figure class="laboratory" id="laboratory" data-files="laboratory/files/" data-runtime="laboratory/files/">'
    '<img src="laboratory/files/cat.jpg" alt="a still picture"><p class="lab-hint">without '
    "scripts</p><figcaption>What it is.</figcaption></figure>"
)
QUICK = "method2=layer-cam"  # the second panel's own beginning is Holistic-CAM: seconds
SETTLED = """() => [...document.querySelectorAll(".lab-panel canvas")].every((c) => c.ariaBusy === "false")"""


def links() -> dict[str, list[str]]:
    """{page: the views that it links to}."""
    found = {}
    for path in sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("*.md")]):
        said = re.findall(r"\{try\}`[^`<]+<([^>]+)>`", words(path))
        found |= {path.stem: said} if said else {}
    return found


def words(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in ipynb.read(path)["cells"] if cell["cell_type"] == "markdown")


def write(folder: Path) -> None:
    """lab.html, gone.html whose files are not there, and all that they load."""
    shutil.copytree(ROOT / "book" / "_static" / "laboratory", folder / "laboratory")
    shutil.copy(ROOT / "book" / "_static" / "laboratory.css", folder)
    try:
        shutil.copytree(parcel.folder(), folder / "laboratory" / "files")
        runtime.copy(folder / "laboratory" / "files")
    except runtime.MissingError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    gone = FIGURE.replace('data-files="laboratory/files/"', 'data-files="laboratory/gone/"')
    for name, figure in (("lab", FIGURE), ("gone", gone)):
        text = f"{HEAD}{STYLE}</head><body>{figure}{SCRIPT}</body></html>"
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


def started(tab, address):
    tab.goto(address)
    tab.get_by_role("button", name="Start the laboratory").click()
    tab.wait_for_function("() => document.querySelector('figure.laboratory').dataset.state")
    assert tab.locator("figure.laboratory").get_attribute("data-state") == "ready", tab.locator("figure").text_content()
    return settled(tab)


def settled(tab):
    """Waits until both panels have drawn what the address says."""
    tab.wait_for_function(SETTLED)
    return tab


def follow(tab, view: str):
    """Follows a link to a view and waits until the page has heard of it, not until its maps are drawn."""
    tab.evaluate(
        """view => new Promise((done) => {
            history.replaceState(null, "", "#");
            addEventListener("hashchange", () => setTimeout(done), { once: true });
            location.hash = `#laboratory?${view}`;
        })""",
        view,
    )


def show(tab, view: str = QUICK):
    """Opens a view in a laboratory that has been started, as a link to it does."""
    follow(tab, view)
    return settled(tab)


SLOW = """window.slow = {};
const ask = window.fetch;
window.fetch = async (url, ...how) => {
    for (const [name, { ms, fails }] of Object.entries(window.slow)) {
        if (!String(url).includes(name)) continue;
        await new Promise((done) => setTimeout(done, ms));
        if (fails) return new Response("", { status: 500 });
    }
    return ask(url, ...how);
};"""


def slow(tab, **files: tuple[int, bool]):
    """Lets photographs come late: {name: (milliseconds, whether they fail then)}."""
    given = {f"{name}.rgb": {"ms": ms, "fails": fails} for name, (ms, fails) in files.items()}
    tab.evaluate(f"(given) => {{ if (!window.slow) {{ {SLOW} }} Object.assign(window.slow, given); }}", given)


def choose(tab, *names: str):
    """One photograph of the page after another, as fast as a script can."""
    tab.evaluate(
        "names => names.forEach(name => document.querySelector(`.lab-photos input[value=${name}]`).click())", names
    )


def panel(tab, which=0):
    return tab.locator(".lab-panel").nth(which)


def said(tab, words: str) -> str:
    """What the page says for the whole laboratory, once it has these words in it."""
    status = tab.locator("figure > .lab-status")
    tab.wait_for_function("([e, words]) => e.textContent.includes(words)", arg=[status.element_handle(), words])
    return status.text_content()


def changed(tab, act, which=0) -> tuple[np.ndarray, np.ndarray]:
    """The panel's pixels before and after something is done, once it has drawn again."""
    canvas = panel(tab, which).locator("canvas")
    before, old = pixels(canvas), panel(tab, which).get_attribute("data-count")
    act()
    tab.wait_for_function("([e, old]) => e.dataset.count !== old", arg=[panel(tab, which).element_handle(), old])
    settled(tab)
    return before, pixels(canvas)
