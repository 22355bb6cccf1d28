"""The same tables as Markdown, HTML and LaTeX."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from .report import Table, arrow, lines

PLAIN = {"best": "**{}**", "second": "*{}*", "": "{}"}
LATEX = {"best": "<b>{}<e>", "second": "<i>{}<e>", "": "{}"}  # braces would clash with str.format


def to_markdown(found: Sequence[Table], caption: str, notes: Sequence[str], figures: Mapping[str, str]) -> str:
    out = ["# Results", "", caption, ""]
    for table in found:
        heads = ["explainer", *map(arrow, table.metrics)]
        out += [f"## {table.title}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        out += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines(table, PLAIN)]
        out.append("")
    out += [f"† {note}" for note in notes]
    for title, name in figures.items():
        out += ["", f"![Mean curves of {title}]({name}.svg)"]
    return "\n".join([*out, ""])


def to_html(found: Sequence[Table], caption: str, notes: Sequence[str], figures: Mapping[str, str]) -> str:
    style = {"best": "\0b{}\0/b", "second": "\0i{}\0/i", "": "{}"}  # tags that escaping leaves alone

    def cell(kind: str, text: str) -> str:
        safe = html.escape(text)
        for tag in ("b", "/b", "i", "/i"):
            safe = safe.replace(f"\0{tag}", f"<{tag}>")
        return f"<{kind}>{safe}</{kind}>"

    out = ['<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Results</title></head><body>',
           f"<h1>Results</h1><p>{html.escape(caption)}</p>"]
    for table in found:
        heads = "".join(cell("th", head) for head in ["explainer", *map(arrow, table.metrics)])
        rows = "".join(f"<tr>{''.join(cell('td', c) for c in row)}</tr>\n" for row in lines(table, style))
        out.append(f"<h2>{html.escape(table.title)}</h2><table><tr>{heads}</tr>\n{rows}</table>")
    out += [f"<p>† {html.escape(note)}</p>" for note in notes]
    out += [f'<p><img src="{name}.svg" alt="Mean curves of {html.escape(title)}"></p>'
            for title, name in figures.items()]
    return "\n".join([*out, "</body></html>", ""])


def to_latex(found: Sequence[Table], caption: str, notes: Sequence[str], figures: Mapping[str, str]) -> str:
    out = []
    for table in found:
        heads = " & ".join(_tex(head) for head in ["explainer", *map(arrow, table.metrics)])
        rows = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in lines(table, LATEX)]
        out += [r"\begin{table}", rf"\caption{{{_tex(table.title)}. {_tex(caption)}}}",
                rf"\begin{{tabular}}{{l{'r' * len(table.metrics)}}}", r"\hline", heads + r" \\", r"\hline", *rows,
                r"\hline", r"\end{tabular}", r"\end{table}", ""]
    for title, name in figures.items():
        out += [r"\begin{figure}", rf"\includegraphics[width=\linewidth]{{{name}}}",
                rf"\caption{{Mean curves of {_tex(title)}.}}", r"\end{figure}", ""]
    return "\n".join([*out, *(f"% {_tex(note)}" for note in notes), ""])


def _tex(text: str) -> str:
    """Text as LaTeX has it."""
    pairs = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "↑": r"$\uparrow$",
             "↓": r"$\downarrow$", "†": r"\dag{}", "–": "--", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
             "<b>": r"\textbf{", "<i>": r"\textit{", "<e>": "}"}  # fmt: skip
    for char, said in pairs.items():
        text = text.replace(char, "\0") if char == "\\" else text.replace(char, said)
    return text.replace("\0", pairs["\\"])
