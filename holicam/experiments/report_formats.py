"""The same tables as Markdown, LaTeX and CSV, with everything escaped that a label or a file name may hold."""

from __future__ import annotations

import csv
import html
import io
import math
import re
from collections.abc import Mapping, Sequence

from .table import Table, arrow, lines

MARKDOWN = {"best": "**{}**", "second": "*{}*", "": "{}"}
LATEX = {"best": r"\textbf{{{}}}", "second": r"\textit{{{}}}", "": "{}"}
# As LaTeX has them. Beside its own ten, what older fonts show as something else.
TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "†": r"\dag{}",
        "–": "--",
    }
)


def to_markdown(found: Sequence[Table], caption: str, notes: Sequence[str], figures: Mapping[str, str]) -> str:
    """A page with a section for each table. figures: {title: name of the SVG file, without its suffix}."""
    out = ["# Results", "", _md(caption), ""]
    for table in found:
        heads = [_md(head) for head in ["explainer", *map(arrow, table.metrics)]]
        out += [f"## {_md(table.title)}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        out += ["| " + " | ".join(row) + " |" for row in lines(table, MARKDOWN, _md)]
        out.append("")
    out += [f"† {_md(note)}" for note in notes]
    for title, name in figures.items():
        out += ["", f"![Mean curves of {_md(title)}]({name}.svg)"]
    return "\n".join([*out, ""])


def to_csv(found: Sequence[Table]) -> str:
    """A row for each cell: title, explainer, metric, n, mean, low, high, mark, published, note; unknown is empty."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("table", "explainer", "metric", "n", "mean", "low", "high", "mark", "published", "note"))
    for table in found:
        for label, cells in table.rows.items():
            for metric, cell in cells.items():
                numbers = ["" if math.isnan(x) else repr(float(x)) for x in (cell.mean, cell.low, cell.high)]
                texts = [harmless(one_line(said)) for said in (table.title, label)]
                rows.writerow((*texts, metric, cell.count, *numbers, cell.mark, cell.published, cell.note))
    return out.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def to_latex(found: Sequence[Table], caption: str, notes: Sequence[str], figures: Mapping[str, str]) -> str:
    """Floats to be included in a document. figures: as for `to_markdown`."""
    out = []
    for table in found:
        heads = " & ".join(_tex(head) for head in ["explainer", *map(arrow, table.metrics)])
        # {}: a row that begins with [ or * would be read as an argument of the line break before it.
        rows = ["{}" + " & ".join(row) + r" \\" for row in lines(table, LATEX, _tex, _tex)]
        out += [
            r"\begin{table}",
            rf"\caption{{{_tex(table.title)}. {_tex(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.metrics)}}}",
            r"\hline",
            heads + r" \\",
            r"\hline",
            *rows,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    for title, name in figures.items():
        out += [
            r"\begin{figure}",
            rf"\includegraphics[width=\linewidth]{{{name}}}",
            rf"\caption{{Mean curves of {_tex(title)}.}}",
            r"\end{figure}",
            "",
        ]
    return "\n".join([*out, *(f"% {_tex(note)}" for note in notes), ""])


def one_line(text: str) -> str:
    """Text without line breaks, and with ? for what cannot be shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _md(text: str) -> str:
    """Text as Markdown has it: no HTML, no emphasis, no link, no new cell."""
    safe = html.escape(one_line(text), quote=False)
    return re.sub(r"([\\`*\[\]|])|(?<!\w)_|_(?!\w)", r"\\\g<0>", safe)


def _tex(text: str) -> str:
    """Text as LaTeX has it."""
    return one_line(text).translate(TEX)
