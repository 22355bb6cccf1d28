"""Editions leave out what they must."""

from tools.editions import lecturer, student
from tools.ipynb import tags
from tools.plain_text import Numbers, Plain


def test_editions_of_a_made_up_chapter():
    def md(text):
        return {"cell_type": "markdown", "metadata": {}, "source": text}

    def code(text, *names):
        return {
            "cell_type": "code",
            "metadata": {"tags": list(names)},
            "source": text,
            "outputs": [{"text": "1"}],
            "execution_count": 1,
        }

    cells = [
        md("```{exercise} One\n:label: ex-a\nDo it.\n```"),
        code("x = None", "exercise"),
        md("```{dropdown} Solution\nIt is 1.\n```"),
        code("x = 1", "solution", "hide-cell"),
        code("x == 1", "check"),
        md("Before.\n```{solution} ex-a\n:class: dropdown\nOne.\n```\nAfter."),
    ]
    short = student({"cells": cells})["cells"]
    assert [c["source"] if isinstance(c["source"], str) else "".join(c["source"]) for c in short] == [
        cells[0]["source"],
        "x = None",
        "x == 1",
        "Before.\n\nAfter.",
    ]
    assert all(not c["outputs"] for c in short if c["cell_type"] == "code")
    whole = lecturer({"cells": cells})["cells"]
    assert len(whole) == 6 and "hide-cell" not in tags(whole[3])
    words = Plain(Numbers(), lambda page, label: page, ("Solution",))
    assert all(words("".join(whole[n]["source"])).count("<details open>") == 1 for n in (2, 5))
