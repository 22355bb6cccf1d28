"""What the laboratory costs a reader: python benchmarks/laboratory.py

Serves the laboratory from this machine, opens it in Chromium, and takes seconds by the clock: from the click to the
first map, of a question about another class, and of Holistic-CAM's `fast` for another class, with its four sizes. A
reader waits by the clock too; the machine should be idle, and its load is written beside the numbers.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.helpers.browser import FLAGS, chromium, served
from tools.ipynb import ROOT
from tools.laboratory import parcel, runtime

RESULT = Path(__file__).parent / "results" / "laboratory.json"
LIMITS = {"first map": 5.0, "another question": 0.3, "Holistic-CAM, fast": 3.0}
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>laboratory</title>
<figure class="laboratory" id="laboratory" data-files="laboratory/files/" data-runtime="laboratory/files/">
<img alt=""><p class="lab-hint"></p></figure><script type="module" src="laboratory/laboratory.mjs"></script></html>"""
VIEW = "#laboratory?method2=grad-cam&stage2=4"  # one question for both panels
DRAWN = "() => [...document.querySelectorAll('.lab-panel canvas')].every((c) => c.ariaBusy === 'false')"
ROUNDS, CLASSES = 3, (1, 99, 207, 340, 654)


def site(folder: Path) -> None:
    """The laboratory by itself."""
    shutil.copytree(ROOT / "book" / "_static" / "laboratory", folder / "laboratory")
    shutil.copytree(parcel.folder(), folder / "laboratory" / "files")
    runtime.copy(folder / "laboratory" / "files")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")


def first(page: Page, address: str) -> float:
    """Seconds from the click to the first map."""
    page.goto(f"{address}{VIEW}")
    began = time.perf_counter()
    page.get_by_role("button", name="Start the laboratory").click()
    page.wait_for_selector(".lab-panel")
    page.wait_for_function(DRAWN)
    return time.perf_counter() - began


def question(page: Page, method: str, target: int) -> float:
    """Seconds until the first panel has drawn a map for another class."""
    page.get_by_role("region", name="first panel").get_by_label("method").select_option(method)
    page.wait_for_function(DRAWN)
    before = page.locator(".lab-panel").first.get_attribute("data-count")
    box = page.get_by_role("region", name="first panel").get_by_label("class")
    began = time.perf_counter()
    box.fill(str(target))
    box.press("Enter")
    page.wait_for_function("(old) => document.querySelector('.lab-panel').dataset.count !== old", arg=before)
    return time.perf_counter() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright, served(folder := Path(name)) as place:
        site(folder)
        address = f"{place}/index.html"
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        taken: dict[str, list[float]] = {name: [] for name in LIMITS}
        for _ in range(ROUNDS):
            window = browser.new_context()  # with nothing in its cache
            page = window.new_page()
            page.set_default_timeout(300_000)
            taken["first map"].append(first(page, address))
            for target in CLASSES:
                taken["another question"].append(question(page, "layer-cam", target))
            taken["Holistic-CAM, fast"].append(question(page, "holistic-cam", CLASSES[0]))
            window.close()
        result = {
            "processor": platform.machine(),
            "date": date.today().isoformat(),
            "browser": browser.version,
            "runtime": runtime.version(),
            "load": round(os.getloadavg()[0], 1),
            "rows": [
                {"what": name, "seconds": round(statistics.median(found), 3), "limit": LIMITS[name], "n": len(found)}
                for name, found in taken.items()
            ],
        }
        browser.close()
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["rows"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
