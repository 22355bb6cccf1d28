"""A chapter in a real JupyterLab: drawn, run whole, an exercise answered, a knob turned, saved and put back.

JupyterLab serves a copy of book/ from a folder of its own, with settings of its own. Needs a Chromium, as
test_site.py does, and requirements-lab.txt. LAB_SHOTS=folder keeps pictures of what was seen.
A test that needs the chapter run asks for `ran`, so any of them can be run alone or on any worker; `--dist loadfile`
spares a second JupyterLab. (Not an xdist_group: pytest 9.2 with pytest-xdist 3.8 pays no heed to it.)
"""

import contextlib
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
# Seconds for a whole chapter and for anything else; a busy machine is no fault of the notebook.
PATIENCE, WAIT = 900, 180
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page at once
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
RAW = ("{figure}", "{exercise}", "{dropdown}", "{eq}", "{numref}", "{ref}", "{cite", ":name:", ":alt:", ":label:", "$$")


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
        begun = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=word", timeout=5).close()
                break
            except OSError:
                silent = time.monotonic() - begun > PATIENCE
                assert process.poll() is None and not silent, (folder / "log.txt").read_text()
                time.sleep(0.2)
        yield Lab(browser, port, folder / "log.txt")
    finally:
        process.terminate()  # it ends its kernels itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()  # one that hangs; its kernels notice


class Lab:
    """JupyterLab in the browser, and what its page complains of."""

    def __init__(self, browser, port, log):
        self.log = log
        self.page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        self.page.set_default_timeout(1000 * WAIT)
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
        self.wait("""() => cells.every(c => c.model.type != "markdown" || c.rendered && c.node.innerText.trim())""")

    @property
    def front(self):
        """The notebook that is seen; other tabs stay in the page."""
        return self.page.locator(".jp-NotebookPanel:visible")

    def state(self):
        """What a failure needs beside it: which notebook is in front, its kernel, the end of JupyterLab's log."""
        said = self.page.evaluate("""() => { const kernel = window.book?.sessionContext.session?.kernel;
            return `${jupyterapp.shell.currentWidget?.context?.path}: kernel ${kernel?.id}, ${kernel?.status}, `
                + `${kernel?.connectionStatus}; ${document.querySelector(".jp-Dialog")?.innerText ?? "no dialog"}`;
        }""")
        return f"{said}\n{self.log.read_text()[-3000:]}"

    def wait(self, condition, arg=None, seconds=WAIT):
        try:
            self.page.wait_for_function(condition, arg=arg, timeout=1000 * seconds)
        except Exception as error:
            error.add_note(self.state())
            raise

    def save(self):
        self.page.evaluate("book.context.save().then(() => 1)")

    def run_all(self):
        """Without what is stored, so that every count and output seen afterwards is of this run."""
        self.wait("""() => { const kernel = book.sessionContext.session?.kernel;
            return kernel?.connectionStatus == "connected" && kernel.status == "idle"; }""")
        self.page.evaluate("""async () => { window.ran = null;
            await jupyterapp.commands.execute("notebook:clear-all-cell-outputs");
            jupyterapp.commands.execute("notebook:run-all-cells").then(
                all => window.ran = String(all), error => window.ran = String(error)); }""")
        self.wait("() => window.ran", seconds=PATIENCE)
        assert self.page.evaluate("window.ran") == "true", f"{self.page.evaluate('window.ran')}: {self.state()}"

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
        self.front.locator(".jp-Cell").nth(at).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Shift+Enter")
        self.page.keyboard.press("Shift+Enter")
        self.wait("at => cells[at + 1].model.outputs.length", at)
        return self.page.evaluate("at => cells[at + 1].outputArea.node.innerText", at).strip()

    def shot(self, name):
        if os.environ.get("LAB_SHOTS"):
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=f"{os.environ['LAB_SHOTS']}/lab-{name}.png")


@pytest.fixture(autouse=True)
def chapter(lab):
    """The chapter in front, whatever the test before has opened.

    No error in the page's console, such as a name that is not resolved, and nothing asked for elsewhere.
    """
    lab.open(CHAPTER)
    yield lab
    print(lab.state())  # pytest shows it where the test has failed
    troubles, lab.troubles = lab.troubles, []
    assert not troubles, troubles


@pytest.fixture(scope="module")
def ran(lab):
    """Every cell has run, once for each JupyterLab."""
    lab.open(CHAPTER)
    lab.run_all()


def test_a_chapter_is_drawn(chapter):
    """Formulas, captions and exercises as on the site; nothing of the markup is left, and no solution is open."""
    page = chapter.page
    chapter.shot("top")
    text = " ".join(page.evaluate("cells.filter(c => c.model.type == 'markdown').map(c => c.node.innerText)"))
    text = " ".join(text.split())
    assert not [word for word in RAW if word in text]
    for words in (
        "limits follow from (3)",
        "Exercise 1 (What do eight sizes cost?)",
        "Fig. 7.2. The published settings;",
        "On photographs takes this further",
        "Holistic-CAM (Chen et al., 2024) pulls three levers",
    ):
        assert words in text
    folded = page.evaluate("""cells.filter(c => (c.model.getMetadata("tags") ?? []).includes("solution"))
        .map(c => c.inputHidden && !c.node.innerText.includes("trial("))""")
    assert folded and all(folded)
    assert page.locator("details").count() > 1 and page.locator("details[open]").count() == 0


def test_a_drawing_of_the_text_is_drawn(lab):
    """Chapter 06 has one that is a file; chapter 07 draws all of its own in its cells."""
    lab.open("06-the-low-pass-wrap.ipynb")
    lab.wait("() => cells.some(c => c.model.type == 'markdown' && /Figure\\s1:/.test(c.node.innerText))")
    lab.wait("""() => cells.some(c => c.model.type == 'markdown' && [...c.node.querySelectorAll("figure img")].some(
        drawing => drawing.complete && drawing.naturalWidth > 0 && drawing.getBoundingClientRect().width > 300))""")


def test_opening_and_saving_is_no_change(chapter, folder):
    chapter.save()
    stored = folder / "book" / CHAPTER
    tidied(stored)
    assert stored.read_bytes() == (BOOK / CHAPTER).read_bytes()


def test_a_chapter_runs_whole(chapter, ran):
    outputs = chapter.page.evaluate("""cells.filter(c => c.model.type == "code")
        .map(c => [c.model.executionCount, c.model.outputs.toJSON()])""")
    assert all(count for count, _ in outputs)
    assert not [
        one for _, some in outputs for one in some if one["output_type"] == "error" or one.get("name") == "stderr"
    ]


def test_the_explorer_lives(chapter, ran):
    explorer = chapter.front.locator(".cam-explorer").first
    explorer.scroll_into_view_if_needed()
    methods = explorer.locator("select").first
    methods.wait_for()
    canvas = explorer.locator("canvas").first.element_handle()
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    chapter.shot("explorer")
    methods.select_option(index=0)
    chapter.wait("([canvas, before]) => canvas.toDataURL() != before", [canvas, before])


def test_an_exercise_answers(chapter, ran):
    starter = chapter.cell("cost = None")
    assert chapter.answer(starter, "cost = 8").startswith("off:")
    chapter.shot("exercise")
    assert chapter.answer(starter, "cost = 60.9").startswith("right")


def test_a_knob_turns(chapter, ran):
    handle = chapter.front.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    picture = chapter.front.locator("img.widget-image").first.element_handle()
    chapter.wait("picture => picture.naturalWidth > 0", picture)
    assert picture.evaluate("picture => picture.getBoundingClientRect().width <= picture.naturalWidth + 1"), (
        "the picture is enlarged"
    )
    before = picture.get_attribute("src")
    handle.focus()
    chapter.page.keyboard.press("ArrowRight")
    chapter.wait("([picture, before]) => picture.src != before", [picture, before])
    chapter.shot("knob")


def test_a_reference_leads_to_its_chapter(chapter):
    chapter.front.locator("summary", has_text="You need").click()
    chapter.front.get_by_role("link", name="From scores to maps").first.click()
    chapter.wait("() => jupyterapp.shell.currentWidget?.context?.path.startsWith('01-')")
