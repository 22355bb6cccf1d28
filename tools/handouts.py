"""Print the lecturer's notes, the exam and the assignments as PDF: python -m tools.handouts

    make handouts SEED='a sentence'        _build/handouts/

Files called -answers are for the lecturer. The pages are made of the same Markdown as the editions and printed as the
book is (`tools.pdf`): nothing is asked of another host.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path

from tools import pdf
from tools.assignments import PUBLIC, course
from tools.assignments.release import released
from tools.chapters import load
from tools.editions import check_seed
from tools.exam import bank
from tools.ipynb import BOOK, ROOT, source
from tools.notes import PAGE as NOTES
from tools.plain import on_site
from tools.plain_text import Numbers, Plain
from tools.site_extension import BUNDLE, put_mathjax
from tools.slides.text import html

TARGET = ROOT / "_build" / "handouts"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 11pt/1.45 serif; color: #111 }} h1 {{ font-size: 18pt }} h2 {{ font-size: 14pt; break-after: avoid }}
h3 {{ break-after: avoid }} img {{ max-width: 100%; max-height: 120mm }} li {{ margin: 1mm 0 }}
pre {{ font: 8.5pt/1.35 monospace; white-space: pre-wrap; background: #f3f3f3; padding: 2mm; break-inside: avoid }}
td, th {{ padding: 1mm 2mm; vertical-align: top }}
.points {{ font: 9pt sans-serif; color: #444; margin: 3mm 0 -2mm }}
</style>
<script>window.MathJax = {{tex: {{inlineMath: [["\\\\(", "\\\\)"]], displayMath: [["\\\\[", "\\\\]"]]}}}};</script>
<script src="mathjax/{bundle}"></script></head><body><article>
{body}
</article></body></html>
"""


def words() -> Plain:
    """Writes the book's Markdown as plain Markdown; references lead to the published site."""
    return Plain(Numbers.of(load()), on_site, ("Solution",))


def of_notebook(notebook: dict, write: Callable[[str], str]) -> str:
    """An assignment as HTML: text, code, and the points of a cell above it."""
    out = []
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if points := about.get("points"):
            out.append(f'<p class="points">{points} points: {escape(about["grade_id"])}</p>')
        text = source(cell)
        out.append(html(write(text)) if cell["cell_type"] == "markdown" else f"<pre>{escape(text)}</pre>")
    return "\n".join(out)


def pages(seed: str | None) -> dict[str, str]:
    """{name of the PDF: its body as HTML}."""
    write = words()
    made = {
        "notes": html(write(NOTES.read_text(encoding="utf-8"))),
        "exam": html(write(bank(seed, answers=False))),
        "exam-answers": html(write(bank(seed))),
    }
    for name, notebook in course.notebooks(PUBLIC if seed is None else seed).items():
        made[f"assignment-{name}"] = of_notebook(released(notebook), write)
        made[f"assignment-{name}-answers"] = of_notebook(notebook, write)
    return made


def write(folder: Path, seed: str | None, only: tuple[str, ...] = ()) -> list[Path]:
    """The PDFs in `folder`. Raises FileNotFoundError where there is no Chromium."""
    made = {name: body for name, body in pages(seed).items() if not only or name in only}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as site:
        put_mathjax(Path(site) / "mathjax")
        shutil.copytree(BOOK / "figures", Path(site) / "figures")
        for name, body in made.items():
            text = PAGE.format(title=name, body=body, bundle=BUNDLE)
            (Path(site) / f"{name}.html").write_text(text, encoding="utf-8")
            foreign = pdf.book([pdf.Entry(f"{name}.html", "")], folder / f"{name}.pdf", Path(site))
            if foreign:
                raise ValueError(f"{name} asks other hosts: {', '.join(sorted(set(foreign)))}")
    return [folder / f"{name}.pdf" for name in made]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.handouts", description=__doc__.split(":")[0])
    parser.add_argument("--seed", help="whose numbers; without it the public ones, whose answers all can make")
    given = parser.parse_args()
    check_seed(parser, given.seed)
    try:
        made = write(TARGET, given.seed)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(made)} files are in {TARGET.relative_to(ROOT)}/; those called -answers are the lecturer's.")
    if given.seed is None:
        print("They have the public numbers: give SEED='a sentence' before marks depend on them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
