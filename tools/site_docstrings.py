"""Docstrings as the reference shows them: prose, a list of arguments, what is returned, what is raised, an example.

The house writes "Args:" with an entry a line, and short functions in one line ("maps (B, H, W). Returns (B, h, w).").
Both become lists here. Nothing is printed as it stands, for a line of 100 characters runs out of a phone's page.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import holicam as hc
from tools.site_names import LABELS, resolved

BUILT = re.compile(r"\bBuilt in\s+chapter (\d\d)\.?|\bchapter (\d\d) builds (?:it|this)\.?")
SECTIONS = {
    "Args": "Arguments",
    "Attributes": "Arguments",
    "Fields": "Arguments",
    "Returns": "Returns",
    "Yields": "Yields",
    "Raises": "Raises",
}
HEAD = re.compile(r"(?:^|(?<=[.;:)\]`\"] )|(?<=\n))(Args|Attributes|Fields|Returns|Yields|Raises):?(?=\s)")
ENDS = re.compile(r"(?<=[.;] )(?=(?:Costs?|One forward|Two forwards|Needs?|Called as|The other fields|The rest) )")
SIGNS = {"sum": "Σ", "odot": "⊙", "oslash": "⊘", "int": "∫", "lambda": "λ", "max": "max", "cdot": "·"}


@dataclass
class Parts:
    """A docstring, taken apart."""

    prose: list[str] = field(default_factory=list)  # paragraphs, items of lists, lines of formulas
    entries: dict[str, str] = field(default_factory=dict)  # "eps" or "median, mean" -> what it is
    sections: dict[str, str] = field(default_factory=dict)  # "Returns" -> text
    example: str = ""
    chapters: list[str] = field(default_factory=list)  # "07"


def joined(text: str) -> str:
    return " ".join(text.split())


def blocks(text: str) -> list[str]:
    return [block.strip("\n") for block in re.split(r"\n\s*\n", text) if block.strip()]


def split_entries(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """What stands before the first "name: ", and {name or names: text}."""
    if not names:
        return text, {}
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    begins, several = r"(?:^|(?<=[.;:)·] )|(?<=\n))[ \t]*\**", rf"((?:{one})(?:,\s(?:\*\*)?(?:{one}))*)"
    starts = re.compile(rf"{begins}{several}(?: \([^()]*\))?(?:: |:\n| (?=\([A-Za-z0-9]))")
    found = list(starts.finditer(text))
    if not found:
        return text, {}
    ends = [match.start() for match in found[1:]] + [len(text)]
    said = {joined(m[1]): joined(text[m.end() : end]).rstrip(";· ") for m, end in zip(found, ends, strict=True)}
    return text[: found[0].start()], said


def parts(doc: str, names: Collection[str] = ()) -> Parts:
    """The parts of a docstring; `names` are the arguments or fields that its entries may speak of."""
    doc, out = inspect.cleandoc(doc), Parts()
    out.chapters = [a or b for a, b in BUILT.findall(doc)]
    doc = BUILT.sub("", doc)
    kept, examples = [], []
    for block in blocks(doc):
        lines = block.split("\n")
        if any(line.lstrip().startswith(">>>") for line in lines):
            start = next(i for i, line in enumerate(lines) if line.lstrip().startswith(">>>"))
            examples.append(inspect.cleandoc("\n".join(lines[start:])))
            lines = [line for line in lines[:start] if not re.fullmatch(r"\s*Examples?:+", line)]
        kept += ["\n".join(lines)] if lines else []
    out.example = "\n".join(examples)
    for block in kept:
        pieces = HEAD.split(block)  # prose, head, text, head, text, ...
        out.prose += prose_of(pieces[0], names, out)
        for head, text in zip(pieces[1::2], pieces[2::2], strict=True):
            label = SECTIONS[head]
            if label == "Arguments":
                text, said = split_entries(text, names)
                out.entries |= said
            if text := joined(text.lstrip(":")):
                out.sections[label] = joined(f"{out.sections.get(label, '')} {text}")
    return out


def prose_of(block: str, names: Collection[str], out: Parts) -> Iterator[str]:
    """Paragraphs of one block; entries that it holds go to `out`, a formula keeps its lines."""
    before, said = split_entries(block, names)
    for name, text in said.items():
        text, *rest = ENDS.split(text, maxsplit=1)
        out.entries[name] = text.strip()
        before += "".join("\n" + r for r in rest)
    lines = before.split("\n")
    if not joined(before) or re.fullmatch(r"\s*(Args|Examples?|Fields|Attributes):", before):
        return
    if all(line.startswith("  ") for line in lines if line.strip()):  # a formula, or a small table
        yield "\n".join(f"   | {line.strip()}" for line in lines)
    elif any(line.lstrip().startswith("- ") for line in lines[1:]) or lines[0].startswith("- "):
        item = re.split(r"\n(?=\s*- )", before)
        yield from (joined(line) for line in item)
    else:
        yield joined(before)


def linked(text: str, module: str, names: Collection[str] = ()) -> str:
    """Text for reStructuredText: `cam.alpha` becomes a link where the reference has it, and signs are signs."""

    def mention(found: re.Match) -> str:
        said = found[1].strip()
        plain = re.sub(r"\(.*\)$", "", said.removeprefix("hc."))
        target = resolved(plain, module) if re.fullmatch(r"[\w.]+", plain) and plain not in names else None
        shown = said if "." not in plain else target  # files have no public names
        return f":py:obj:`{shown} <{target}>`" if target else f"``{said}``"

    code = re.split(r"(``.+?``|`[^`]+`(?!`))", text)
    for i, piece in enumerate(code):
        if i % 2:
            code[i] = piece if piece.startswith("``") else mention(re.fullmatch(r"`([^`]+)`", piece))
        else:
            piece = re.sub(r"\\([a-z]+)", lambda f: SIGNS.get(f[1], f[1]), piece.replace("\\ ", " "))
            piece = re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", piece)
            piece = piece.replace("**", r"\*\*") if piece.count("**") % 2 else piece  # **options
            lead, piece = (piece[:5], piece[5:]) if piece.startswith("   | ") else ("", piece)
            piece = re.sub(r"\n   \\?\| ", "\n\0", piece.replace("|", r"\|").replace("\n   \\| ", "\n   | "))
            code[i] = lead + piece.replace("\0", "   | ")
    out = ""
    for piece in code:  # a role ends at a letter only with a sign between
        out += "\\ " + piece if out[-1:] == "`" and piece[:1].isalnum() else piece
    return out


def listed(entries: dict[str, str], module: str, names: Collection[str] = ()) -> list[str]:
    """Arguments as the items of a list."""
    return [
        f"* {', '.join(f'**{name}**' for name in said.split(', '))} – {linked(text, module, names)}"
        for said, text in entries.items()
    ]


def rst(found: Parts, module: str, names: Collection[str] = ()) -> list[str]:
    """A docstring's parts as lines of reStructuredText."""
    out = []
    for block in found.prose:
        out += [linked(block, module, names), ""]
    if found.entries:
        out += [":Arguments:", *("   " + line for line in listed(found.entries, module, names))]
        if "Arguments" in found.sections:
            out += ["", "   " + linked(found.sections["Arguments"], module, names)]
    for label, text in found.sections.items():
        if label != "Arguments" or not found.entries:
            out += [f":{label}: {linked(text, module, names)}"]
    if found.chapters:
        out += [f":Built in: {built_in(found.chapters)}"]
    if found.example:
        out += ["", "Example:", "", *found.example.split("\n")]
    return [*out, ""]


def built_in(chapters: list[str]) -> str:
    """Links to chapters "07" and so on; those that do not exist are left out."""
    known = [number for number in dict.fromkeys(chapters) if number in LABELS]
    return ", ".join(f":ref:`chapter {int(number)} <{LABELS[number]}>`" for number in known)


def arguments(obj: object) -> list[str]:
    """The names of what a function, or a class when it is made, takes."""
    obj = obj.__call__ if getattr(obj, "_is_protocol", False) else obj
    try:
        return list(inspect.signature(obj).parameters)
    except (TypeError, ValueError):
        return []


def process(app, what, name, obj, options, lines) -> None:
    """Autodoc's docstring, in place. A dataclass has a table of its fields, an explainer more than that."""
    said = "\n".join(lines)
    if what == "class" and dataclasses.is_dataclass(obj):
        names = [field.name for field in dataclasses.fields(obj)]
        found = parts(said, names)
        found.entries = {}
        if obj in hc.explainers.values():
            found.example, found.chapters = "", []
    else:
        names = arguments(obj)
        found = parts(said, names)
    lines[:] = rst(found, getattr(obj, "__module__", None) or "", names)


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
