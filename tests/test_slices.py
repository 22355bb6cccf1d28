"""A slice of a notebook: what it must keep, what it may drop, and that it computes the same."""

import contextlib
import io

import pytest

from tools.slices import sliced


def kept(*cells: str, wanted=None) -> list[str]:
    wanted = {len(cells) - 1} if wanted is None else wanted
    return sliced(list(cells), wanted)


def test_what_a_cell_reads_is_kept_and_the_rest_is_not():
    assert kept("a = 1\nb = 2", "print(b)", "c = a", "c") == ["a = 1", "", "c = a", "c"]


@pytest.mark.parametrize("change", [
    "x.append(1)", "x[0] = 5", "x += [1]", "x.field = 2", "fill(x)", "x.copy_(3)", "y = x.add_(1)",
    "for part in x:\n    part.reset()", "for part in x.parts():\n    forget(part)", "with x.kept():\n    x.forget()",
    "torch.manual_seed(x)", "[part.zero_() for part in x]"])  # fmt: skip
def test_what_may_change_a_value_is_kept(change):
    assert kept("x = make()", change, "use(x)")[1] == change


@pytest.mark.parametrize("quiet", [
    "print(x)", "assert x == 1", "x", "hc.plot.maps(x, {'a': x})", "for name in x:\n    print(name)",
    "y = x + 1", "x.mean"])  # fmt: skip
def test_what_changes_nothing_is_dropped(quiet):
    assert kept("x = make()", quiet, "use(x)")[1] == ""


def test_a_later_value_hides_an_earlier_one():
    assert kept("x = slow()", "x = 2", "x") == ["", "x = 2", "x"]
    assert kept("x = slow()", "x = x + 2", "x")[0] == "x = slow()"
    assert kept("x = slow()", "if y:\n    x = 2", "x")[0] == "x = slow()"


def test_a_function_reads_when_it_is_called():
    cells = ["def f():\n    return g(scale)", "scale = 1", "def g(k):\n    other = k\n    return other",
             "scale = 3", "f()"]  # fmt: skip
    assert all(kept(*cells)) and kept("k = 1", "def g(k):\n    return k", "g(2)")[0] == ""


def test_names_inside_a_comprehension_are_its_own():
    assert kept("k = slow()", "x = [k for k in range(3)]", "x") == ["", "x = [k for k in range(3)]", "x"]
    assert kept("k = 4", "x = [k * j for j in range(3)]", "x")[0] == "k = 4"
    assert kept("k = 4", "x = [k for k in range(k)]", "x")[0] == "k = 4"


def test_setup_and_wanted_cells_stand():
    cells = ["import holicam as hc\nhc.setup(seed=0)", "print('a figure')  # as written", "pass"]
    assert kept(*cells, wanted={1, 2}) == cells


def run(cells: list[str]) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec("\n".join(cells), {})
    return shown.getvalue().splitlines()[-1]


def test_a_slice_computes_the_same():
    cells = [
        "import math\nfrom functools import partial\nbase, unused = 3, [0] * 9",
        "def power(x, n=2):\n    return base * x ** n\ncube = partial(power, n=3)",
        "table = {n: power(n) for n in range(5)}\nprint(table)",
        "for n, value in table.items():\n    if n % 2:\n        table[n] = -value\n        unused[n] = value",
        "total = sum(table.values())\nassert total < 1e9\nroot, rest = divmod(total, 7)\nbase = 2",
        "rows = []\nfor n in (1, 2):\n    rows.append(cube(n))\nprint(math.pi)",
        "print(total, rows, rest)"]  # fmt: skip
    short = kept(*cells)
    assert run(short) == run(cells) and "print(table)" not in short[2] and "assert" not in short[4]
    assert "base = 2" in short[4] and "unused" in short[3]  # a loop stands or falls as a whole
