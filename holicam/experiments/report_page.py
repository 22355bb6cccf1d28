"""The report as one HTML page that stands alone: no other file, no script, nothing asked of another host.

It says what was measured, on how many images, with which settings; shows intervals with control rows as charts, the
tables they are of, mean curves, example maps; lists what was left out; and ends with how to repeat it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .report_examples import Examples
from .report_formats import one_line
from .table import Table, arrow, lines

MARKS = {"best": "<b>{}</b>", "second": "<i>{}</i>", "": "{}"}
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1rem; max-width: 56rem; font: 16px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; }
figure { margin: 1rem 0; }
figure svg, figure img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.2rem 0.7rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
:is(th, td):first-child { text-align: left; }
tr:first-child th { border-block: 1px solid; }
tr:last-child td { border-bottom: 1px solid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 0.7rem; border: 1px solid; border-radius: 4px; font-size: 0.85rem; }
"""


@dataclass(frozen=True)
class Report:
    """What a report tells. settings: {what: value}. charts, curves: {title: SVG}. skipped: {image: why}.

    notes: on published values. left_out: sentences on rows and maps that are missing or say nothing. repeat: the
    configuration as TOML, and commands: what to type.
    """

    title: str
    caption: str
    settings: Mapping[str, str]
    tables: Sequence[Table]
    notes: Sequence[str]
    charts: Mapping[str, str]
    curves: Mapping[str, str]
    examples: Examples
    skipped: Mapping[str, str]
    left_out: Sequence[str]
    repeat: str
    commands: Sequence[str]


def page(report: Report) -> str:
    """The whole page; everything that a label or a file name may hold is escaped."""
    out = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_safe(report.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_safe(report.title)}</h1>\n<p>{_safe(report.caption)}</p>",
        *_settings(report.settings),
        *_figures("Scores with their intervals", report.charts, "Dot and interval of each explainer"),
        *_tables(report.tables, report.notes),
        *_figures("Mean curves", report.curves, "Mean curves"),
        *_examples(report.examples),
        *_left_out(report),
        "<h2>How to repeat it</h2>\n<p>Save this as <code>run.toml</code>:</p>",
        f"<pre>{html.escape(report.repeat)}</pre>\n<p>Then:</p>",
        f"<pre>{html.escape(chr(10).join(report.commands))}</pre>",
    ]
    return "\n".join([*out, "</body></html>", ""])


def _safe(text: str) -> str:
    return html.escape(one_line(text))


def _settings(settings: Mapping[str, str]) -> Iterator[str]:
    rows = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(said)}</dd>\n" for name, said in settings.items())
    yield f"<h2>Settings</h2>\n<dl>{rows}</dl>"


def _figures(title: str, svgs: Mapping[str, str], alt: str) -> Iterator[str]:
    if svgs:
        yield f"<h2>{title}</h2>"
    for name, svg in svgs.items():
        labelled = svg.replace("<svg", f'<svg role="img" aria-label="{alt}: {_safe(name)}"', 1)
        yield f"<figure><h3>{_safe(name)}</h3>{labelled}</figure>"


def _tables(tables: Sequence[Table], notes: Sequence[str]) -> Iterator[str]:
    yield "<h2>Tables</h2>"
    for table in tables:
        heads = "".join(f"<th>{_safe(head)}</th>" for head in ["explainer", *map(arrow, table.metrics)])
        rows = "".join(
            f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in lines(table, MARKS, _safe, _safe)
        )
        yield f'<h3>{_safe(table.title)}</h3>\n<div class="wide"><table><tr>{heads}</tr>\n{rows}</table></div>'
    yield from (f"<p>† {_safe(note)}</p>" for note in notes)


def _examples(examples: Examples) -> Iterator[str]:
    if examples.shown or examples.said:
        yield "<h2>Example maps</h2>"
    for one in examples.shown:
        yield (
            f'<figure><img src="data:image/jpeg;base64,{one.picture}" alt="{_safe(one.alt)}">'
            f"<figcaption>{_safe(one.title)}</figcaption></figure>"
        )
    if examples.said:
        yield f"<p>{_safe(examples.said)}</p>"


def _left_out(report: Report) -> Iterator[str]:
    if not report.skipped and not report.left_out:
        return
    yield "<h2>What is not in these numbers</h2>\n<ul>"
    yield from (f"<li>{_safe(said)}</li>" for said in report.left_out)
    yield from (f"<li>{_safe(image)}: {_safe(why)}</li>" for image, why in report.skipped.items())
    yield "</ul>"
