"""Print the built site as one PDF, the pages in the order of the contents: python -m tools.pdf [FILE]

    make pdf        _build/pdf/holicam.pdf

Chromium prints each page; pypdf puts them together, with the headings as bookmarks, page numbers, and links between
pages that lead to the place in the same file (tools/pdf_links.py). Nothing is asked of another host: the site is served
on this machine.
"""

from __future__ import annotations

import functools
import http.server
import io
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools import pdf_links
from tools.ipynb import ROOT

SITE = ROOT / "_build" / "html"
FILE = ROOT / "_build" / "pdf" / "holicam.pdf"
STYLE = Path(__file__).with_name("pdf.css")
HEIGHT = 842  # of a sheet, in points
MARGIN = {"top": "16mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
READY = """async () => {
    for (const box of document.querySelectorAll("details.paper-notes, details.sd-dropdown"))
        box.open = !/^(Hint|Solution)/.test(box.querySelector("summary").innerText.trim());
    await (window.MathJax?.startup?.promise ?? null);
    for (const picture of document.images) picture.loading = "eager";
    await Promise.all([...document.images].map(i => i.decode().catch(() => null)));
    await document.fonts.ready;
}"""


@dataclass(frozen=True)
class Entry:
    """A page of the book: its file below the site, and the part that it stands in."""

    file: str
    part: str


def contents(root: Path = ROOT) -> list[Entry]:
    """All pages in the order of the table of contents."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    rest = [(chapter["file"], part["caption"]) for part in toc["parts"] for chapter in part["chapters"]]
    return [Entry(f"{file}.html", part) for file, part in [(toc["root"], ""), *rest]]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that writes no line for each file."""

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(site: Path = SITE) -> Iterator[str]:
    """The address of the site, on this machine alone."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Raises FileNotFoundError where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise FileNotFoundError("no Chromium found: install one, or name it with CHROMIUM=/path/to/it")
    if shutil.which(path) is None:
        raise FileNotFoundError(f"CHROMIUM={path} is no program: name a Chromium's file")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


def printed(browser: Any, address: str, file: str, foreign: list[str], places: Sequence[str] = ()) -> bytes:
    """One page as PDF, with these places to link to; what it asks of another host is refused and noted."""
    page = browser.new_page(viewport={"width": 900, "height": 1200}, color_scheme="light")
    page.set_default_timeout(300_000)

    def ask(route: Any) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    page.route("**/*", ask)
    page.goto(f"{address}/{file}", wait_until="load")
    page.add_style_tag(content=STYLE.read_text(encoding="utf-8"))
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate(READY)
    page.evaluate(pdf_links.PLACES, list(places))
    raw = page.pdf(format="A4", margin=MARGIN, print_background=True, outline=True, tagged=True)
    page.close()
    return raw


def numbers(browser: Any, count: int) -> bytes:
    """As many pages with nothing but their number at the foot."""
    page = browser.new_page()
    sheets = "".join(f"<div><span>{i}</span></div>" for i in range(1, count + 1))
    page.set_content(
        "<style>@page { size: A4; margin: 0 } body { margin: 0 } "
        "div { position: relative; height: 296mm; break-after: page } "
        "span { position: absolute; bottom: 8mm; width: 100%; text-align: center; font: 9pt sans-serif; color: #444 }"
        f"</style>{sheets}"
    )
    raw = page.pdf(format="A4", print_background=False)
    page.close()
    return raw


def joined(entries: Sequence[Entry], prints: Sequence[bytes], address: str) -> Any:
    """A writer with all pages, bookmarks and links; page numbers are laid over them later."""
    from pypdf import PdfReader, PdfWriter

    writer, parts, at = PdfWriter(), {}, {}
    readers = [PdfReader(io.BytesIO(raw)) for raw in prints]
    for entry, reader in zip(entries, readers, strict=True):
        start = len(writer.pages)
        at[entry.file] = {"": [start, 0, HEIGHT], **pdf_links.places(reader, start)}
        writer.append(reader, import_outline=False)
        if entry.part and entry.part not in parts:
            parts[entry.part] = writer.add_outline_item(title=entry.part, page_number=start)
        bookmarks(writer, reader, reader.outline, start, parts.get(entry.part))
    ends = [at[entry.file][""][0] for entry in entries[1:]] + [len(writer.pages)]
    for entry, end in zip(entries, ends, strict=True):
        pdf_links.relink(writer, range(at[entry.file][""][0], end), entry.file, at, address)
    return writer


def bookmarks(writer: Any, reader: Any, outline: list, start: int, parent: Any, depth: int = 2) -> None:
    """The headings of a page as bookmarks below its part: the title, and the sections below it."""
    made = parent
    for item in outline:
        if isinstance(item, list):
            if depth > 1:
                bookmarks(writer, reader, item, start, made, depth - 1)
        else:
            title = once(re.sub(r"[#\s]+$", "", str(item.title)).strip())
            place = reader.get_destination_page_number(item) or 0
            made = writer.add_outline_item(title=title, page_number=start + max(place, 0), parent=parent)


def once(title: str) -> str:
    """A heading on the first line of a sheet is told twice over by Chromium."""
    half = len(title) // 2
    return title[:half] if half and title[:half] == title[half:] else title


def book(entries: Sequence[Entry], file: Path, site: Path = SITE, say: Any = None) -> list[str]:
    """Write the PDF; returns what was asked of other hosts, which is nothing.

    Raises FileNotFoundError: the site is not built, or there is no Chromium.
    """
    from pypdf import PdfReader

    missing = [entry.file for entry in entries if not (site / entry.file).exists()]
    if missing:
        raise FileNotFoundError(f"{site} has no {missing[0]}: run `make book` first")
    foreign: list[str] = []
    with served(site) as address, chromium() as browser:
        prints, places = [], pdf_links.wanted([entry.file for entry in entries], site)
        for entry in entries:
            if say:
                say(f"printing {entry.file}")
            prints.append(printed(browser, address, entry.file, foreign, places[entry.file]))
        writer = joined(entries, prints, address)
        feet = PdfReader(io.BytesIO(numbers(browser, len(writer.pages))))
    for page, foot in zip(writer.pages, feet.pages, strict=False):
        page.merge_page(foot)
        page.compress_content_streams()  # which merging has unpacked
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    writer.page_mode = "/UseOutlines"
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    writer.write(file)
    return foreign


def main() -> int:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    try:
        foreign = book(contents(), file, say=lambda text: print(text, flush=True))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    if foreign:
        print(f"The pages asked other hosts: {', '.join(sorted(set(foreign)))}", file=sys.stderr)
        return 1
    print(f"The book is in {file} ({file.stat().st_size / 1e6:.1f} MB).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
