"""Code of one's own by place: where it is looked for, and one sentence for whatever is wrong with it."""

from __future__ import annotations

import pytest

from holicam.core.own_code import OwnCodeError, find, imported, look_in, own_line
from holicam.core.places import is_place


def test_what_a_place_is():
    assert all(map(is_place, ["my_cam:MyCAM", "a.b:c", "resnet50:IMAGENET1K_V2"]))
    assert not any(map(is_place, ["grad-cam", "my-cam:MyCAM", "a:b:c", ":b", "a:", 3, None]))


def test_here_in_a_named_folder_and_installed(own, tmp_path):
    own("here_mine.py", "x = 1")
    own("there/there_mine.py", "x = 2")
    own("pack/__init__.py", "")
    own("pack/inner.py", "x = 3")
    assert find("here_mine:x", "a thing") == 1 and find("pack.inner:x", "a thing") == 3
    with pytest.raises(OwnCodeError, match=r"there_mine.py was not found: looked in .*--load FILE.py"):
        find("there_mine:x", "a thing")
    look_in("there/there_mine.py")
    assert find("there_mine:x", "a thing") == 2
    assert find("colorsys:rgb_to_hsv", "a thing").__name__ == "rgb_to_hsv"


WRONG = {
    "no_such_name": ("x = 1", "a:nothing", r"has no nothing; define an explainer of that name there"),
    "close": ("class MyCAM: pass", "a:MyCam", r"has no MyCam; close names are MyCAM"),
    "no Python": ("def", "a:b", r"_Python\.py cannot be imported \(SyntaxError: "),
    "raises": ("raise RuntimeError('no luck')", "a:b", r"cannot be imported \(RuntimeError: no luck\)"),
    "leaves": ("import sys; sys.exit(3)", "a:b", r"cannot be imported \(SystemExit: 3\)"),
    "needs another": ("import nobody_has_this", "a:b", r"needs the module nobody_has_this, which is not there"),
    "ending": ("", "a.py:MyCAM", r"write a:MyCAM, without .py"),
    "form": ("", "a.py:b:c", r'named "module:name", such as "my_file:MyCAM"; got'),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_sentence_for_what_is_wrong(own, case):
    text, place, said = WRONG[case]
    name = f"wrong_{case.replace(' ', '_')}"
    own(f"{name}.py", text)
    with pytest.raises(OwnCodeError, match=said):
        find(place.replace("a", name, 1) if place.startswith("a:") else place, "an explainer")


def test_a_name_that_something_else_has(own):
    own("colorsys.py", "x = 1")
    with pytest.raises(OwnCodeError, match="are both called colorsys, and Python knows the other one: give yours"):
        imported("colorsys")


def test_a_file_that_is_not_there(own):
    with pytest.raises(OwnCodeError, match="gone.py is not there: name a file of Python code"):
        look_in("gone.py")


def test_the_line_of_ones_own_code(own):
    own("breaks_here.py", "def f():\n    import math\n    return math.sqrt(-1)\n")
    with pytest.raises(ValueError, match="math domain error") as caught:
        find("breaks_here:f", "a function")()
    assert own_line(caught.value) == "breaks_here.py, line 3"
    assert own_line(ValueError()) == ""
