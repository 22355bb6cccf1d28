"""Run the chapters that take any network again, with yours and with your photographs.

    python -m tools.second_edition --model resnet50 --photos folder     (make execute MODEL=... PHOTOS=...)

The notebooks go to _build/edition-<model>/; book/ is only read. A chapter takes part if its code
asks `hc.edition` for a network or photographs; what it does with Toyland it does again as in the book.
The others measure against Toyland's truth alone, masks and recipes that no photograph has; they are named
with what they need. A network without weights is refused: nothing is written under a name that did not run.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat

from tools.execute import FAILURES, executed, store
from tools.ipynb import BOOK, ROOT, code_cells, source

TRUTH = re.compile(r"\b(object_mask|class_masks|part_masks|distractor_mask|shortcut_mask|boxes|recipes|render)\b")
TAKES = re.compile(r"\bhc\.edition\.(network|photographs|samples)\b")
CREDIT = re.compile(r"Photographs?: [^\n]*?\b(?:changed|cropped|put together)\b[^.\n]*\.")
DEFAULT = "efficientnet-lite0"
PUBLIC = "the public photographs"
ABOUT = ("network ", "photographs: ", "pending: ")  # how the lines of `hc.edition` begin
# Networks that only Toyland's chapters have: two of them to compare, one with a shortcut.
OWN = re.compile(r"\btoy-[\w-]+")


def code(notebook) -> str:
    return "\n".join(map(source, code_cells(notebook)))


def takes_part(notebook) -> bool:
    """True where a chapter asks for the reader's network or photographs."""
    return bool(TAKES.search(code(notebook)))


def reason(notebook) -> str:
    """What of Toyland a chapter cannot do without, in a few words."""
    text = code(notebook)
    found = ["stored rows"] if "hc.stored" in text else sorted(set(TRUTH.findall(text)))
    found = found or sorted(set(OWN.findall(text)))[-1:]
    return ", ".join(found[:2]) or "no network of its own to exchange"


def shown(photos: Path | None, model: str) -> str:
    """What the photographs of an edition are, in words."""
    if photos and str(photos) != "toyland":
        return f"photographs from `{photos.resolve().name}`"
    return "Toyland's images" if photos or model.startswith("toy-") else PUBLIC


def preface(model: str, photos: Path | None) -> str:
    """What a reader of the second edition must know before the first line."""
    return (
        ":::{admonition} Second edition\n:class: note\n\n"
        f"Run with `HOLICAM_MODEL={model}` and {shown(photos, model)}.\n"
        "The cells are those of the book, and those about Toyland ran with Toyland's networks; "
        "sentences that read a number speak of the first edition.\n:::"
    )


def uncredited(notebook, photos: Path | None, model: str = DEFAULT):
    """A copy whose captions credit nobody for photographs that are not theirs.

    What describes a figure to who cannot see it says that it is the book's.
    """
    copy, words = nbformat.from_dict(notebook), shown(photos, model)
    if words != PUBLIC:
        for cell in code_cells(copy):
            about = cell["metadata"].get("mystnb", {})
            figure, image = about.get("figure", {}), about.get("image", {})
            if CREDIT.search(figure.get("caption", "")):
                figure["caption"] = CREDIT.sub(f"{words[0].upper()}{words[1:]}.", figure["caption"])
                if "alt" in image:
                    image["alt"] = f"With {words.replace('`', '')}. In the book the figure shows: {image['alt']}"
    return copy


def add_preface(notebook, text: str):
    """A copy of the notebook with `text` below its title cell."""
    cells = list(notebook["cells"])
    cells.insert(1, nbformat.v4.new_markdown_cell(text, id="second-edition"))
    return nbformat.from_dict({**notebook, "cells": cells})


def copy_figures(notebook, out: Path) -> None:
    """The drawings that the text of a chapter shows."""
    for cell in notebook["cells"]:
        for name in re.findall(r"\bfigures/[\w.-]+", cell["source"]):
            if (BOOK / name).is_file():
                (out / "figures").mkdir(exist_ok=True)
                shutil.copy2(BOOK / name, out / name)


def check(model: str) -> None:
    """Raises ValueError, OSError or ImportError for a network without weights or a folder without photographs."""
    from holicam import models
    from holicam.notebook import edition

    edition.photographs(1)
    edition.device()
    models.load_model(model)  # what is to be had is fetched here, once, before a chapter speaks


def spoken(notebook) -> list[str]:
    """What a chapter printed of its network and photographs, wherever it did so."""
    outputs = (output for cell in code_cells(notebook) for output in cell["outputs"])
    printed = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")
    return [line for line in printed.splitlines() if line.startswith(ABOUT)]


def choose(model: str, photos: Path | None) -> None:
    """Tell the chapters' kernels, which inherit this environment, what to explain."""
    os.environ |= {"HOLICAM_MODEL": model, "HOLICAM_STORED": "1", "HOLICAM_PENDING": "refuse"}
    os.environ.pop("HOLICAM_PHOTOS", None)
    if photos:
        os.environ["HOLICAM_PHOTOS"] = "toyland" if str(photos) == "toyland" else str(photos.resolve())


def write(paths: list[Path], model: str, photos: Path | None, out: Path) -> list[str]:
    """Run the chapters that take part; the names of those that failed."""
    failed, left_out = [], []
    out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        if not takes_part(notebook):
            left_out.append(f"{path.stem[:2]} ({reason(notebook)})")
            continue
        print(f"{path.name}: running ...", end=" ", flush=True)
        try:
            new, seconds, _ = executed(add_preface(uncredited(notebook, photos, model), preface(model, photos)), out)
        except FAILURES as error:
            print(f"failed, nothing written\n{error}")
            failed.append(path.name)
            continue
        lines = spoken(new)
        if pending := [line for line in lines if line.startswith("pending")]:
            print(f"nothing written, for it did not run with {model}\n{pending[0]}")
            failed.append(path.name)
            continue
        copy_figures(new, out)
        store(new, out / path.name, seconds, edition=model)
        print(f"{seconds:.0f} s")
        print("\n".join(lines))
    if left_out:
        print("Left out, for they need Toyland's truth, networks or rows:", "; ".join(left_out))
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT, help="a name that holicam.load_model knows")
    parser.add_argument("--photos", type=Path, help='a folder of JPEG and PNG files, or "toyland"')
    options = parser.parse_args()
    choose(options.model, options.photos)
    try:
        check(options.model)
    except (ValueError, OSError, ImportError) as error:
        print(f"Nothing was written: {error}", file=sys.stderr)
        return 2
    out = ROOT / "_build" / f"edition-{options.model.replace(':', '-')}"
    failed = write(sorted(BOOK.glob("*.ipynb")), options.model, options.photos, out)
    if any(out.glob("*.ipynb")):
        print(f"The second edition is in {out.relative_to(ROOT)}/; book/ is as it was.")
    else:
        shutil.rmtree(out)  # no folder under the name of a network that gave nothing
        print("Nothing was written; book/ is as it was.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
