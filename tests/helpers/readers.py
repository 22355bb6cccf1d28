"""Reading a data set as it is, and changing one word of its files."""

from __future__ import annotations

from holicam.datasets import load
from tests.helpers import disk

XML = "VOCdevkit/VOC2007/Annotations/000001.xml"


def swap(name, old, new):
    """A change: other words in that file."""

    def change(root):
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def folder(root):
    """Two classes of one picture."""
    for name in ("a/1.png", "b/2.png"):
        disk.save(root / name, disk.picture(30, 20))


def read(name, root, **options):
    return load(name, root, preset="as-is", **({} if name == "folder" else {"partial": True}), **options)
