"""A chapter in a real JupyterLab: drawn, run whole, an exercise answered, a knob turned, saved and put back.

JupyterLab serves a copy of book/ from a folder of its own, with settings of its own. Needs a Chromium, as
tests/book/test_site.py does, and requirements-lab.txt. LAB_SHOTS=folder keeps pictures of what was seen.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tools.tidy import tidied

ROOT = Path(__file__).resolve().parents[2]
BOOK, CHAPTER = ROOT / "book", "07-holistic-cam.ipynb"
PATIENCE = 420  # seconds for a whole chapter; a busy machine is no fault of the notebook
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page at once
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
RAW = ("{figure}", "{exercise}", "{dropdown}", "{eq}", "{numref}", "{ref}", "{cite", ":name:", ":alt:", ":label:", "$$")

pytestmark = pytest.mark.xdist_group("lab")  # one JupyterLab for all of them, in this order


def lab_process(folder: Path, port: int) -> subprocess.Popen:
    for name, value in SETTINGS.items():
        path = folder / f"config/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    own = {k: v for k, v in os.environ.items() if not k.startswith(("HOLICAM_", "JUPYTER"))}
    own |= {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "run"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=word",
            f"--ServerApp.root_dir={folder / 'book'}",
            "--ServerApp.contents_manager_class=tools.lab.Contents",
            "--LabApp.expose_app_in_browser=True",
        ],
        env=own,
        stdout=(folder / "log.txt").open("w"),
        stderr=subprocess.STDOUT,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place for JupyterLab's own files, and a copy of book/."""
    made = tmp_path_factory.mktemp("lab")
    shutil.copytree(BOOK, made / "book")
    return made


@pytest.fixture(scope="module")
def lab(browser, folder):
    if importlib.util.find_spec("jupyterlab_myst") is None:
        pytest.fail("JupyterLab and jupyterlab-myst are missing: pip install -r requirements-lab.txt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = lab_process(folder, port)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=word", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log.txt").read_text()
                time.sleep(0.2)
        yield Lab(browser, port)
    finally:
        process.terminate()  # it ends its kernels itself
        process.wait(60)


class Lab:
    """JupyterLab in the browser, and what its page complains of."""

    def __init__(self, browser, port):
        self.page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.troubles = []
        self.page.on("console", lambda m: m.type == "error" and self.troubles.append(m.text))
        self.page.on("pageerror", lambda e: self.troubles.append(str(e)))
        self.page.on(
            "request",
            lambda r: "//127.0.0.1" in r.url or r.url.startswith(("data:", "blob:")) or self.troubles.append(r.url),
        )
        self.page.goto(f"http://127.0.0.1:{port}/lab?token=word&reset")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("jupyterapp.restored.then(() => 1)")

    def open(self, path):
        self.page.evaluate(
            """async path => {
            const widget = window.book = await jupyterapp.commands.execute("docmanager:open", {path});
            await widget.revealed;
            await widget.context.ready;
            await widget.sessionContext.ready;
            jupyterapp.shell.collapseLeft();
            jupyterapp.shell.activateById(widget.id);
            window.cells = widget.content.widgets;
        }""",
            path,
        )
        self.page.wait_for_function("""() => cells.every(c => c.model.type != "markdown"
            || c.rendered && c.node.innerText.trim())""")

    def save(self):
        self.page.evaluate("book.context.save().then(() => 1)")

    def run_all(self):
        self.page.evaluate("""() => { window.ran = false;
            jupyterapp.commands.execute("notebook:run-all-cells").finally(() => window.ran = true); }""")
        self.page.wait_for_function("() => window.ran")

    def cell(self, start):
        """The number of the code cell that begins with these words."""
        found = self.page.evaluate(
            """start => cells.findIndex(c => c.model.type == "code"
            && c.model.sharedModel.getSource().startsWith(start))""",
            start,
        )
        assert found >= 0, f"no cell begins with {start!r}"
        return found

    def answer(self, at, text):
        """Put a line into a cell, run it and the cell below as a reader does; what that one prints."""
        self.page.evaluate("at => { cells[at].node.scrollIntoView(); cells[at + 1].model.outputs.clear(); }", at)
        self.page.locator(".jp-Notebook:visible .jp-Cell").nth(at).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Shift+Enter")
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function("at => cells[at + 1].model.outputs.length", arg=at)
        return self.page.evaluate("at => cells[at + 1].outputArea.node.innerText", at).strip()

    def shot(self, name):
        if os.environ.get("LAB_SHOTS"):
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=f"{os.environ['LAB_SHOTS']}/lab-{name}.png")


@pytest.fixture(scope="module")
def chapter(lab):
    lab.open(CHAPTER)
    lab.shot("top")
    return lab


def test_a_chapter_is_drawn(chapter):
    """Figures, formulas and exercises as on the site; nothing of the markup is left, and no solution is open."""
    page = chapter.page
    text = " ".join(page.evaluate("cells.filter(c => c.model.type == 'markdown').map(c => c.node.innerText)"))
    text = " ".join(text.split())
    assert not [word for word in RAW if word in text]
    for words in (
        "Figure 1:",
        "limits follow from (3)",
        "Exercise 1 (What do eight sizes cost?)",
        "Fig. 7.2. The fused map",
        "behind them, From scores to maps",
        "Holistic-CAM (Chen et al., 2024) uses",
    ):
        assert words in text
    page.wait_for_function("() => document.querySelector('figure img')?.complete")
    assert page.evaluate("""() => { const drawing = document.querySelector("figure img");
        return drawing.naturalWidth > 0 && drawing.getBoundingClientRect().width > 300; }""")
    folded = page.evaluate("""cells.filter(c => (c.model.getMetadata("tags") ?? []).includes("solution"))
        .map(c => c.inputHidden && !c.node.innerText.includes("trial("))""")
    assert folded and all(folded)
    assert page.locator("details").count() > 1 and page.locator("details[open]").count() == 0


def test_opening_and_saving_is_no_change(chapter, folder):
    chapter.save()
    stored = folder / "book" / CHAPTER
    tidied(stored)
    assert stored.read_bytes() == (BOOK / CHAPTER).read_bytes()


def test_a_chapter_runs_whole(chapter):
    chapter.run_all()
    outputs = chapter.page.evaluate("""cells.filter(c => c.model.type == "code")
        .map(c => [c.model.executionCount, c.model.outputs.toJSON()])""")
    assert all(count for count, _ in outputs)
    assert not [
        one for _, some in outputs for one in some if one["output_type"] == "error" or one.get("name") == "stderr"
    ]


def test_the_explorer_lives(chapter):
    page = chapter.page
    explorer = page.locator(".cam-explorer").first
    explorer.scroll_into_view_if_needed()
    explorer.locator("select").first.wait_for()
    picture = "() => document.querySelector('.cam-explorer canvas').toDataURL()"
    before = page.evaluate(picture)
    chapter.shot("explorer")
    methods = explorer.locator("select").first
    methods.select_option(index=0)
    page.wait_for_function(f"before => ({picture})() != before", arg=before)


def test_an_exercise_answers(chapter):
    starter = chapter.cell("cost = None")
    assert chapter.answer(starter, "cost = 8").startswith("off:")
    chapter.shot("exercise")
    assert chapter.answer(starter, "cost = 60.9").startswith("right")


def test_a_knob_turns(chapter):
    page = chapter.page
    handle = page.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('img.widget-image')?.naturalWidth > 0")
    assert page.evaluate("""() => { const picture = document.querySelector("img.widget-image");
        return picture.getBoundingClientRect().width <= picture.naturalWidth + 1; }"""), "the picture is enlarged"
    before = page.locator("img.widget-image").first.get_attribute("src")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('img.widget-image').src != before", arg=before)
    chapter.shot("knob")


def test_a_reference_leads_to_its_chapter(chapter):
    chapter.page.get_by_role("link", name="From scores to maps").first.click()
    chapter.page.wait_for_function("() => jupyterapp.shell.currentWidget?.context?.path.startsWith('01-')")


def test_the_page_complains_of_nothing(lab):
    """No error in its console, such as a name that is not resolved, and nothing asked for elsewhere."""
    assert not lab.troubles
