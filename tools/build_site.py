"""Build the site with warnings as errors, without running a chapter, and say where it is.

Sphinx remembers which pages it has read, and a warning is given only while a page is read: after a
failed or interrupted build the next one would look clean. So a mark is set before the build and
taken away after a clean one; a mark that is still there makes the next build start afresh.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.ipynb import ROOT

BUILD = ROOT / "_build"
HTML = BUILD / "html"
OWN = ("html", ".doctrees", "jupyter_execute", ".jupyter_cache")  # what jupyter-book writes below BUILD
MARK = BUILD / ".unfinished"
DONE = BUILD / ".finished"
LIMIT_MB = 45
PICTURE = re.compile(r"_images/([^\"'()<>&\s]+)")
LABORATORY = HTML / "_static" / "laboratory" / "files"  # a network and what runs it: read by those who ask for it
WHOLE_MB = 75


def size_mb(folder: Path) -> float:
    """Bytes of all files below `folder`, in MB."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def start_afresh() -> None:
    """Remove what an earlier build of the site left; results of other tools lie beside it, some of hours' work."""
    for name in OWN:
        shutil.rmtree(BUILD / name, ignore_errors=True)
    DONE.unlink(missing_ok=True)
    MARK.unlink(missing_ok=True)


def forget_what_is_stale() -> None:
    """Start afresh where an earlier build cannot be trusted."""
    if MARK.exists():
        start_afresh()
    settings = [
        ROOT / "_toc.yml",
        ROOT / "_config.yml",
        ROOT / "tools" / "launch_row.py",
        *(ROOT / "tools").glob("site_*.py"),
        *(ROOT / "tools" / "wall").glob("*.py"),
        *(ROOT / "tools" / "drawn").glob("*.py"),
        # Where no page has changed, Sphinx copies no style or script and writes no photograph.
        *(p for p in (ROOT / "book" / "_static").iterdir() if p.is_file()),
        *(ROOT / "book" / "_static" / "laboratory").rglob("*.mjs"),
        *(ROOT / "tools" / "laboratory").rglob("*.*"),
        *(ROOT / "data" / "wall").iterdir(),
        *(ROOT / "data" / "measured").iterdir(),
    ]
    if DONE.exists() and any(p.stat().st_mtime > DONE.stat().st_mtime for p in settings):
        start_afresh()  # pages that have gone, other settings, or other files beside the pages
    BUILD.mkdir(exist_ok=True)


def is_up_to_date() -> bool:
    """True where nothing that the site is made of has changed since the last clean build."""
    if MARK.exists() or not DONE.exists() or not (HTML / "index.html").exists():
        return False
    sources = [ROOT / "_toc.yml", ROOT / "_config.yml", ROOT / "requirements.txt"]
    for folder in ("book", "holicam", "tools", "data/wall", "data/measured"):
        sources += [p for p in (ROOT / folder).rglob("*") if "__pycache__" not in p.parts]
    return all(p.stat().st_mtime <= DONE.stat().st_mtime for p in sources)


def build(quiet: bool) -> int:
    """Run jupyter-book; its output is shown where something went wrong or `quiet` is off."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT)]
    command += ["-W", "-n", "--keep-going"]
    if not quiet:
        print("Building the site (no chapter is run) ...", flush=True)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-8000:], done.stderr[-8000:], sep="\n", file=sys.stderr)
        print("The site was not built: see the warnings above.", file=sys.stderr)
    return done.returncode


def spare_fonts() -> None:
    """Leave out fonts that stand there twice: every browser that runs the pages reads the smaller form, WOFF2."""
    for font in HTML.rglob("*.ttf"):
        if font.with_suffix(".woff2").exists():
            font.unlink()


def sweep_pictures(site: Path) -> int:
    """Remove pictures that no page shows any more: those of outputs that an earlier build had. Returns how many."""
    shown = {name for page in site.rglob("*.html") for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
    gone = [path for path in (site / "_images").glob("*") if path.is_file() and path.name not in shown]
    for path in gone:
        path.unlink()
    return len(gone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quiet", action="store_true", help="say nothing where all is well")
    quiet = parser.parse_args().quiet

    forget_what_is_stale()
    began = time.time()
    if not is_up_to_date():
        MARK.touch()
        if code := build(quiet):
            return code
        spare_fonts()
        sweep_pictures(HTML)
    size = size_mb(HTML)
    own = size - (size_mb(LABORATORY) if LABORATORY.exists() else 0)
    for what, has, most in (("without the laboratory's files", own, LIMIT_MB), ("in all", size, WHOLE_MB)):
        if has > most:
            print(f"The site has {has:.1f} MB {what}, more than the {most} MB allowed.", file=sys.stderr)
            return 1
    if MARK.exists():
        DONE.touch()
        os.utime(DONE, (began, began))  # what was edited meanwhile is newer than the site
        MARK.unlink()
    if not quiet:
        print(f"The site is ready ({size:.1f} MB). Open {(HTML / 'index.html').as_uri()}")
        print(f"For the explorers' controls: python3 -m http.server -d {HTML.relative_to(ROOT)}")  # modules need one
    return 0


if __name__ == "__main__":
    sys.exit(main())
