"""The built site and a browser to open it in."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import io
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
from PIL import Image

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"

PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)

THEMES = ("light", "dark")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder that is served on this machine alone."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextlib.contextmanager
def watched(browser, **settings):
    """A page of its own; `judge` fails for what its scripts complain of and what it asks of another host."""
    window = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
    page = window.new_page()
    page.set_default_timeout(120_000)
    page.troubles, page.asked = [], []
    page.on("console", lambda m: m.type == "error" and page.troubles.append(m.text))
    page.on("pageerror", lambda e: page.troubles.append(str(e)))
    page.on("request", lambda r: page.asked.append(r.url))
    yield page
    window.close()
    judge(page)


def judge(page) -> None:
    assert not page.troubles, page.troubles
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.asked), page.asked


def pixels(canvas) -> np.ndarray:
    """(H, W, 3) of a canvas as it stands."""
    raw = base64.b64decode(canvas.evaluate("e => e.toDataURL()").split(",")[1])
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)


class Visit:
    """A page that has been opened, and what went wrong meanwhile."""

    def __init__(self, context, address, name):
        self.troubles, self.foreign, self.host = [], [], urlparse(address).netloc
        self.page = context.new_page()
        self.page.set_default_timeout(300_000)  # a busy machine is no fault of the page
        self.page.on("request", self._ask)
        self.page.on("response", self._answer)
        self.page.on("requestfailed", self._fail)
        self.page.on("console", lambda m: m.type == "error" and self.troubles.append(m.text))
        self.page.on("pageerror", lambda e: self.troubles.append(str(e)))
        redirects = 'http-equiv="refresh"' in (SITE / name).read_text(encoding="utf-8")
        self.page.goto(f"{address}/{name}", wait_until="commit" if redirects else "load")
        if redirects:
            self.page.wait_for_url("**/book/*.html", wait_until="load")
        self.page.evaluate("""async () => {
            await (window.MathJax?.startup?.promise ?? null);
            await document.fonts.ready;
            while (document.querySelector(".cam-explorer[data-state=loading]"))
                await new Promise(done => setTimeout(done, 20));
            await new Promise(done => setTimeout(done, 100));  // whatever scripts ask for late
        }""")

    def _ask(self, request):
        if urlparse(request.url).netloc not in (self.host, ""):
            self.foreign.append(request.url)

    def _fail(self, request):
        if request.failure != "net::ERR_ABORTED":  # the redirect is faster than its icon
            self.troubles.append(f"{request.failure}: {request.url}")

    def _answer(self, response):
        if response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")


# What browsers do that are afraid of being recognised: a page reads other pixels than were drawn.
GUARDED = """CanvasRenderingContext2D.prototype.getImageData = function (x, y, width, height) {
    return new ImageData(new Uint8ClampedArray(4 * width * height).fill(255), width, height);
};"""


def changed_then_followed(tab, control: str, value: str, view: str) -> str:
    """The address a while after a reader moved a control and at once followed a link, on a page that was busy."""
    return tab.evaluate(
        """([selector, value, view]) => new Promise((done) => {
            const control = document.querySelector(selector), begun = performance.now();
            control.value = value;
            control.dispatchEvent(new Event("input"));
            setTimeout(() => { location.hash = view; }, 119); // just before the page writes its own address
            while (performance.now() - begun < 300);
            setTimeout(() => done(decodeURIComponent(location.hash.slice(1))), 600);
        })""",
        [control, value, view],
    )
