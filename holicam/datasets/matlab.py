"""Arrays of numbers from MATLAB's files of version 5, read with every length looked at.

    128 bytes of header, then elements: a tag of type and length, the bytes, zeros up to 8
    an array is an element that holds four: flags, dimensions, name, numbers
    a compressed element holds one other, by zlib

SciPy reads many more kinds of such files, in compiled code that a broken file can bring down together
with the process.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
ARRAY, COMPRESSED = 14, 15
CLASSES = range(6, 16)  # of arrays that hold numbers and nothing else
LONGEST = 2**24  # bytes; an annotation has a few hundred


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """{name: array} of a file's arrays of real numbers; others are left out. Raises ValueError, OSError, zlib.error."""
    if (length := path.stat().st_size) > LONGEST:
        raise ValueError(f"it has {length} bytes, more than an annotation can have")
    data = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or data[124:126][:: 1 if order == "<" else -1] != b"\0\1":
        raise ValueError("it is not a MATLAB file of version 5")
    found = {}
    for kind, inside in _elements(data[128:], order):
        if kind == COMPRESSED:
            unpacker = zlib.decompressobj()
            inside = unpacker.decompress(inside, LONGEST)
            if unpacker.unconsumed_tail:
                raise ValueError("it holds a compressed array of more bytes than an annotation can have")
            kind, inside = next(_elements(inside, order), (0, b""))
        if kind == ARRAY and (read := _array(inside, order)):
            found[read[0]] = read[1]
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, bytes) one after the other. Raises ValueError where one reaches beyond the end."""
    at = 0
    while at + 8 <= len(data):
        kind, length = (int(n) for n in np.frombuffer(data, f"{order}u4", 2, at))
        if kind >> 16:  # a small element: type and length share four bytes, the numbers have the next four
            kind, length, start = kind & 0xFFFF, kind >> 16, at + 4
            end = at + 8
        else:
            start = at + 8
            end = start + length + (-length % 8 if kind != COMPRESSED else 0)
        if start + length > min(end, len(data)):
            raise ValueError("an element reaches beyond its end")
        yield kind, data[start : start + length]
        at = end


def _array(data: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """(name, array), None for what is not an array of real numbers. Raises ValueError."""
    parts = list(_elements(data, order))
    if len(parts) < 4 or len(parts[0][1]) < 8:
        return None
    (_, flags), (_, sizes), (_, name), (kind, numbers) = parts[:4]
    flag = int(np.frombuffer(flags, f"{order}u4", 1)[0])
    if flag & 0xFF not in CLASSES or flag & 0x800 or kind not in NUMBERS:  # 0x800: complex
        return None
    shape = np.frombuffer(sizes, f"{order}i4").tolist()
    values = np.frombuffer(numbers, order + NUMBERS[kind])
    if min(shape, default=-1) < 0 or int(np.prod(shape, dtype=object)) != len(values):
        raise ValueError(f"{name[:40]!r} has the shape {shape} and {len(values)} numbers")
    return name.decode("latin-1"), values.reshape(shape, order="F")
