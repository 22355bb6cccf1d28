"""Links in the printed book: to the place on a page that they lead to, in the same file.

Each page of the site is printed alone, so a name such as "exercises" stands for another place in each of them, and
Chromium prints only those places that the page itself links to. So every place that some page links to gets a link on
its own page, too small to be seen, before that is printed; then each link in the file is given the place itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

LINK = re.compile(r'href="([^"#:]*)#([^"?]+)[^"]*"')
SEEN = 3.0  # points: a link that is lower was put there for its place alone
PLACES = """places => {
    const box = document.createElement("div");
    box.style.cssText = "position: absolute; top: 0; left: 0; font-size: 1px; line-height: 1px;";
    for (const place of places) {
        const link = document.createElement("a");
        link.href = "#" + place;
        link.textContent = ".";
        link.style.cssText = "color: transparent !important";
        box.append(link);
    }
    document.querySelector("article").prepend(box);
}"""

Places = dict[str, list]  # {name: [page in the file, left, top]}


def wanted(files: Iterable[str], site: Path) -> dict[str, list[str]]:
    """{file: the places on it that links of other files name}, of the files below `site`."""
    found: dict[str, set[str]] = {file: set() for file in files}
    for file in found:
        for path, place in LINK.findall((site / file).read_text(encoding="utf-8")):
            target = resolved(file, unquote(path))
            if target != file and target in found:
                found[target].add(unquote(place))
    return {file: sorted(places) for file, places in found.items()}


def resolved(file: str, path: str) -> str:
    """A path relative to a file of the site, as seen from its top."""
    parts: list[str] = list(PurePosixPath(file).parent.parts) if path else [file]
    for part in PurePosixPath(path).parts:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return "/".join(parts)


def places(reader: Any, start: int) -> Places:
    """Where the names of one printed page lie, whose first sheet is number `start` of the file."""
    found: Places = {}
    for name, place in reader.named_destinations.items():
        number = reader.get_destination_page_number(place)
        if number is not None and number >= 0:
            found[unquote(str(name).lstrip("/"))] = [start + number, float(place.left or 0), float(place.top or 0)]
    return found


def relink(writer: Any, sheets: Iterable[int], file: str, at: dict[str, Places], address: str) -> None:
    """Give the links on the sheets of `file` their places; a link to what is not in this book is no link any more."""
    from pypdf.generic import ArrayObject, NameObject

    for sheet in sheets:
        page, kept = writer.pages[sheet], ArrayObject()
        for annotation in page.get("/Annots", ArrayObject()):
            link = annotation.get_object()
            if link.get("/Subtype") != "/Link" or turned(writer, link, file, at, address):
                kept.append(annotation)
        if "/Annots" in page:
            page[NameObject("/Annots")] = kept


def turned(writer: Any, link: Any, file: str, at: dict[str, Places], address: str) -> bool:
    """Whether the link is kept; one within the book now leads to its place."""
    from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

    bottom, top = float(link["/Rect"][1]), float(link["/Rect"][3])
    if abs(top - bottom) < SEEN:
        return False
    said = str(link.get("/A", {}).get("/URI", ""))
    if said and not said.startswith(address):
        return True
    target, name = file, unquote(str(link.get("/Dest", "")).lstrip("/"))
    if said:
        target, name = unquote(urlparse(said).path).lstrip("/"), unquote(urlparse(said).fragment).split("?")[0]
    if target not in at:
        return False
    sheet, left, height = at[target].get(name, at[target][""])
    reference = writer.pages[sheet].indirect_reference
    numbers = [FloatObject(left), FloatObject(height), NullObject()]
    link.pop("/A", None)
    link[NameObject("/Dest")] = ArrayObject([reference, NameObject("/XYZ"), *numbers])
    return True
