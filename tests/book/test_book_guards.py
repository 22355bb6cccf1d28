"""The guards of the chapters can fail: one good notebook, and one fault at a time."""

import base64
import copy
import io
import json

import pytest
from PIL import Image

from tests.helpers import book_guards
from tests.helpers.book_guards import GUARDS


def jpeg(colour=128, size=(32, 32)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (colour, colour, colour)).save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def code_cell(source, count, outputs=(), **metadata):
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
        "metadata": metadata,
    }


def markdown(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def shown(data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


FIGURE = {
    "mystnb": {
        "image": {"alt": "A grey square of thirty-two pixels, all of one shade."},
        "figure": {"caption": "Grey stays grey: brighter would be more evidence.", "name": "fig-good-grey"},
    }
}
SETUP = 'import holicam as hc\nhc.setup(seed=0)\nmodel = hc.load_model("toy-resnet50")'


@pytest.fixture
def good():
    sections = "".join(f"## {heading}\n\nWords.\n\n" for heading in book_guards.HEADINGS)
    boxes = "".join(f"```{{dropdown}} {title}\n- Words.\n```\n\n" for title in book_guards.BOXES)
    promised = dict.fromkeys(("1", "2", "3"), "x {n}")
    cells = [
        {
            **markdown("(sec-good)=\n# A good chapter\n\nWhy 3?\n\n" + boxes + sections),
            "metadata": {"numbers": promised},
        },
        markdown("\n".join(["Ten words stand on this line of the good chapter."] * 160)),
        markdown(
            "See Fig. 3 of Zhou et al. (2016), e.g. `a. B`, and $x. Y$.\n"
            "```{exercise}\n:label: ex-good\nTry it.\n```\n$$a = b$$ (eq-good)"
        ),
        code_cell(SETUP, 1),
    ]
    cells += [code_cell(f"x = {n}\nx", n) for n in range(2, 11)]
    cells.append(code_cell("draw()", 11, [shown({"image/jpeg": jpeg(), "text/plain": "<Figure>"})], **FIGURE))
    return {"cells": cells, "metadata": {}}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g.__name__)
def test_good_chapter_passes(good, guard):
    assert list(guard(good)) == []


def last(notebook):
    return notebook["cells"][-1]


def spoil_counts(nb):
    last(nb)["execution_count"] = None


def spoil_order(nb):
    last(nb)["execution_count"] = 12


def spoil_error(nb):
    last(nb)["outputs"].append({"output_type": "error", "ename": "KeyError"})


def spoil_stderr(nb):
    last(nb)["outputs"].append({"output_type": "stream", "name": "stderr", "text": ["careful"]})


def spoil_widget(nb):
    last(nb)["outputs"].append(shown({"application/vnd.jupyter.widget-view+json": {}}))


def spoil_address(nb):
    last(nb)["outputs"].append(shown({"text/plain": "<object at 0x7f00aa11bb22>"}))


def spoil_tag(nb):
    last(nb)["metadata"] = {**FIGURE, "tags": ["nbval-skip"]}


def spoil_few(nb):
    del nb["cells"][4:9]


def spoil_many(nb):
    nb["cells"] += [code_cell("x", n) for n in range(12, 20)]


def spoil_long(nb):
    last(nb)["source"] = "\n".join(["x = 1"] * 26)


def spoil_median(nb):
    for cell in nb["cells"][4:13]:
        cell["source"] = "\n".join(["x = 1"] * 11)


def spoil_wide(nb):
    last(nb)["source"] = "x = " + "1" * 76


def spoil_semicolon(nb):
    last(nb)["source"] = "draw();"


def spoil_magic(nb):
    last(nb)["source"] = "%matplotlib inline"


def spoil_empty(nb):
    last(nb)["source"] = ""


def spoil_first(nb):
    nb["cells"][3]["source"] = "import numpy\n" + SETUP


def spoil_seed(nb):
    nb["cells"][3]["source"] = SETUP.replace("seed=0", "seed=1")


def spoil_alt(nb):
    last(nb)["metadata"]["mystnb"].pop("image")


def spoil_caption(nb):
    last(nb)["metadata"]["mystnb"]["figure"].pop("caption")


def spoil_name(nb):
    last(nb)["metadata"]["mystnb"]["figure"]["name"] = "grey"


def spoil_png(nb):
    last(nb)["outputs"][0]["data"]["image/png"] = jpeg()


def spoil_svg(nb):
    last(nb)["outputs"][0]["data"]["image/svg+xml"] = "<svg/>"


def spoil_two(nb):
    last(nb)["outputs"] *= 2


def spoil_heavy(nb):
    last(nb)["outputs"][0]["data"]["image/jpeg"] = "A" * 410_000


def spoil_sentences(nb):
    nb["cells"].append(markdown("One is here. Two is here."))


def spoil_bold(nb):
    nb["cells"].append(markdown("One is *here.* **Two** is here."))


def spoil_short(nb):
    del nb["cells"][1]


def spoil_wordy(nb):
    nb["cells"].append(markdown("word " * 1200))


def spoil_simply(nb):
    nb["cells"].append(markdown("Simply add."))


def spoil_cells(nb):
    nb["cells"].append(markdown("The next cell computes it."))


def spoil_numbers(nb):
    nb["cells"][0]["metadata"] = {}


def spoil_scheme(nb):
    nb["cells"].append(markdown("## When it fails"))


def spoil_boxes(nb):
    nb["cells"].append(markdown("```{dropdown} You need\nNothing.\n```"))


def spoil_notes(nb):
    nb["cells"].append(markdown("## Paper notes\n\n### Eq. 3\n\n## Another end"))


def spoil_glue(nb):
    nb["cells"].append(markdown("{glue:text}`x`"))


def spoil_gate(nb):
    nb["cells"].append(markdown("```{exercise-start}\n```"))


def spoil_label(nb):
    nb["cells"].append(markdown("$$x$$ (one)"))


def spoil_title(nb):
    nb["cells"].append(markdown("# Another title"))


def spoil_section(nb):
    nb["cells"][0]["source"] = nb["cells"][0]["source"].replace("Summary", "In short")


FAULTS = {
    "ran_in_order": [spoil_counts, spoil_order],
    "no_errors": [spoil_error, spoil_stderr, spoil_widget, spoil_address, spoil_tag],
    "short_cells": [
        spoil_few,
        spoil_many,
        spoil_long,
        spoil_median,
        spoil_wide,
        spoil_semicolon,
        spoil_magic,
        spoil_empty,
    ],
    "first_cell": [spoil_first, spoil_seed],
    "pictures": [spoil_alt, spoil_caption, spoil_name, spoil_png, spoil_svg, spoil_two, spoil_heavy],
    "sentences": [spoil_sentences, spoil_bold],
    "words": [spoil_short, spoil_wordy, spoil_simply, spoil_cells, spoil_numbers],
    "markup": [spoil_glue, spoil_gate, spoil_label, spoil_title, spoil_section, spoil_scheme, spoil_boxes, spoil_notes],
}


@pytest.mark.parametrize(
    ("name", "spoil"),
    [(name, spoil) for name, faults in FAULTS.items() for spoil in faults],
    ids=lambda v: v if isinstance(v, str) else v.__name__[6:],
)
def test_fault_is_found(good, name, spoil):
    bad = copy.deepcopy(good)
    spoil(bad)
    assert list(getattr(book_guards, name)(bad)), f"{name} let {spoil.__name__} pass"


def test_every_guard_has_a_fault():
    assert set(FAULTS) == {guard.__name__ for guard in GUARDS}


def test_pictures_within_two_grey_levels_are_the_same():
    from tools.execute import same_picture

    assert same_picture(jpeg(100), jpeg(102))
    assert not same_picture(jpeg(100), jpeg(104))
    assert not same_picture(jpeg(100), jpeg(100, size=(32, 40)))


def test_stored_picture_is_kept_where_the_new_one_shows_the_same():
    from tools.execute import keep_pictures

    def chapter(colour):
        return {"cells": [{**code_cell("draw()", 1, [shown({"image/jpeg": jpeg(colour)})]), "id": "a"}]}

    for colour, kept in ((101, True), (140, False)):
        old, new = chapter(100), chapter(colour)
        keep_pictures(old, new)
        assert (json.dumps(old) == json.dumps(new)) is kept


def test_prints_that_came_in_pieces_are_stored_as_one():
    from tools.tidy import merge_streams

    def out(text, name="stdout"):
        return {"output_type": "stream", "name": name, "text": text}

    picture = {"output_type": "display_data", "data": {}}
    merged = merge_streams([out("a\n"), out("b\n"), picture, out("c\n"), out("d", "stderr")])
    assert [o.get("text") for o in merged] == ["a\nb\n", None, "c\n", "d"]


def test_what_an_editor_saves_is_tidied(tmp_path, good):
    from tools.tidy import tidied

    path = tmp_path / "01-good.ipynb"
    saved = {
        **good,
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.12.1"},
            "holicam": {"digest": "0"},
        },
    }
    for number, cell in enumerate(saved["cells"]):
        cell["id"] = f"cell-{number}"
    last(saved)["metadata"] |= {"tags": ["hide-cell"], "collapsed": True, "execution": {"iopub.status.busy": "now"}}
    last(saved)["outputs"][0]["metadata"] = {"image/jpeg": {"width": 680, "height": 300, "trusted": True}}
    path.write_text(json.dumps(saved, indent=2))
    assert tidied(path) and not tidied(path)
    text = path.read_text()
    assert "ipykernel" not in text and "3.12.1" not in text and "iopub" not in text and '"digest": "0"' in text
    assert json.loads(text)["cells"][-1]["metadata"]["jupyter"] == {"source_hidden": True}
    about = json.loads(text)["cells"][-1]["outputs"][0]["metadata"]["image/jpeg"]
    assert set(about) == {"alt", "width"} and about["width"] == 680
