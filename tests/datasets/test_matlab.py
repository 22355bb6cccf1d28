"""MATLAB's files of numbers: as SciPy reads them, and a sentence where SciPy's compiled code would trust a length."""

import contextlib
import struct
import zlib

import numpy as np
import pytest

from holicam.datasets.matlab import LONGEST, read_arrays


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_arrays_of_numbers_are_those_of_scipy(kind, compressed, tmp_path):
    from scipy.io import loadmat, savemat

    rng = np.random.default_rng(0)
    made = {
        "box": (rng.random((1, 4)) * 100).astype(kind),
        "line": (rng.random((2, 17)) * 100).astype(kind),
        "x": np.full((2, 3, 2), 3, kind),
        "none": np.zeros((0, 3), kind),
        "complex": np.ones((2, 2), complex),
        "text": "text",
        "struct": {"a": 1},
        "flags": np.array([[True, False]]),
    }
    savemat(tmp_path / "a.mat", made, do_compression=compressed)
    found, wanted = read_arrays(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    assert found.keys() == {"box", "line", "x", "none", "flags"}
    assert all(np.array_equal(found[name], wanted[name]) for name in found)


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def array(order="<", flags=6, shape=(1, 2), numbers=(3.0, 4.0), kind=9, name=b"box"):
    inside = element(6, struct.pack(f"{order}II", flags, 0), order)
    inside += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order) + element(1, name, order)
    return element(14, inside + element(kind, struct.pack(f"{order}{len(numbers)}d", *numbers), order), order)


def write(path, *elements, order="<"):
    path.write_bytes(
        b"MATLAB 5.0 MAT-file".ljust(124)
        + struct.pack(f"{order}H", 256)
        + (b"IM" if order == "<" else b"MI")
        + b"".join(elements)
    )
    return path


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders(order, tmp_path):
    assert read_arrays(write(tmp_path / "a.mat", array(order), order=order))["box"].tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "elements, words",
    [
        ([array(shape=(2, 2))], "shape .2, 2. and 2 numbers"),
        ([array(shape=(-1, -2))], "shape .-1, -2."),
        ([array(shape=(2**31 - 1,) * 9)], "and 2 numbers"),
        ([array(shape=())], "shape .. and 2 numbers"),
        ([struct.pack("<II", 14, 2**32 - 1)], "beyond its end"),
        ([struct.pack("<HHI", 9, 8, 0)], "beyond its end"),
        ([array()[:-9]], "beyond its end"),
        ([element(14, struct.pack("<II", 6, 900))], "beyond its end"),
        ([element(15, zlib.compress(bytes(LONGEST + 9)))], "compressed array of more bytes"),
    ],
)
def test_lengths_are_looked_at(elements, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        read_arrays(write(tmp_path / "a.mat", *elements))


@pytest.mark.parametrize("data", [b"", b"MATLAB 7.3", bytes(200), bytes(126) + b"IM"])
def test_other_files_are_told(data, tmp_path):
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(ValueError, match="not a MATLAB file of version 5"):
        read_arrays(tmp_path / "a.mat")


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_read_or_refused(seed, tmp_path):
    rng, good = np.random.default_rng(seed), write(tmp_path / "a.mat", array(), array(name=b"line")).read_bytes()
    for _ in range(60):
        data = bytearray(good)
        for place in rng.integers(124, len(data), 3):
            data[place] = rng.integers(256)
        (tmp_path / "a.mat").write_bytes(data)
        with contextlib.suppress(ValueError, zlib.error):
            read_arrays(tmp_path / "a.mat")
