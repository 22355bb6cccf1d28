"""The ledger's page: what it prints of a verdict, what it counts, and what it says of every figure and table."""

import re
from types import SimpleNamespace

import pytest

from holicam.experiments.enlarged import shown
from tests.helpers.ledger import EVEN, STEPS, asked, claim, contrasts
from tools.pages import PAPERS
from tools.pages.answers import contrast, sentence, settings, table
from tools.pages.asked import parts
from tools.pages.claims import AT_HOME, Ledger, at_home, claims, index, measured, totals
from tools.pages.judging import judged
from tools.pages.shelf import Shelf

REAL = Shelf()


@pytest.fixture
def ledger():
    shelf = contrasts(STEPS, -STEPS, EVEN * 0.1)
    photographs = asked(world="photographs", direction="less")
    some = [
        claim("it holds", asked(), asked("A", (), against=0.03), asked="As it says."),
        claim("in part", asked(), asked("C"), photographs),
        claim("not at all", asked("C"), asked("A", direction="less")),
        claim("one part is open", asked(), asked("D", step=0.02)),
        claim("shown", chapter=10),
        claim("by definition", kind="identity", verdict="true", why="It is.", covers=["Fig. 2"]),
        claim("left out", kind="open", why="It needs data.", covers=["Fig. 3"]),
    ]
    return Ledger(some, shelf)


def test_verdicts_of_claims(ledger):
    said = {c["place"]: tuple(ledger.verdict(c, world) for world in ("toyland", "photographs")) for c in ledger.claims}
    del said["by definition"]
    assert said == {
        "it holds": ("holds", "open"),
        "in part": ("partly", "fails"),
        "not at all": ("fails", "open"),
        "one part is open": ("undecided", "open"),
        "shown": ("undecided", "open"),
        "left out": ("open", "open"),
    }


def test_totals_leave_identities_out(ledger):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in totals(ledger)]
    assert rows[0][2:] == ["holds", "holds in part", "does not hold", "undecided", "not checked", "together"]
    counts = {(row[0], row[1]): [int(cell) for cell in row[2:]] for row in rows[2:]}
    assert counts["Toyland", "all"] == counts["Toyland", "UCAG"] == [1, 1, 1, 2, 1, 6]
    assert counts["Photographs", "all"] == [0, 0, 1, 0, 5, 6]
    assert len(counts) == 2 * (len(PAPERS) + 1) and counts["Toyland", "Poly-CAM"] == [0] * 6


def test_networks_of_the_ledger_are_asked_about_enlarged_pictures():
    """At the size, and on the kind of pictures, of every set of rows that a test reads."""
    for test in (test for each in claims() for test in each.get("test", ())):
        said = {(network, *of) for networks, *of in AT_HOME[test["world"]] for network in networks}
        for name in test["rows"]:
            config = REAL.known(name).config
            of = shown(config.dataset) if config else (224, "single" if test["world"] == "toyland" else "photographs")
            assert (test["network"], *of) in said, name
    networks = [network for those in AT_HOME.values() for some, *_ in those for network in some]
    assert len(re.findall(r"\S+ right \d+, ", "\n".join(at_home()))) == len(networks) == 5


def test_an_entry_says_how_it_was_decided(ledger):
    book = {10: SimpleNamespace(number=10, label="sec-x", path=None, printed={})}
    said = {c["place"]: "\n".join(measured(c, ledger, book)) for c in ledger.claims if c["kind"] == "measured"}
    whole = said["it holds"]
    assert whole.startswith(":::::{div} claim paper-ucag toyland-holds photographs-open\nit holds\n")
    assert ": *Asked:* As it says.\n: **Toyland: holds.** 2 parts.\n" in whole and "Photographs" not in whole
    assert "`toy-resnet50`; rows `set`. Parts adjusted together: 8 in *one*." in whole
    assert "Everywhere layer `layer1`, measure `road`.\n\n| asked | n | found, 95 % | p | verdict |\n" in whole
    assert "| `A` − `B` > 0 | 12 | +0.065 [+0.042, +0.088] | 0.004 | holds |" in whole
    assert "| `A` > 0.03 | 12 | +0.065 [+0.042, +0.088] |" in whole
    half = said["one part is open"]
    assert ": **Toyland: undecided.** 2 parts: 1 holds, 1 undecided." in half
    assert "| ±0.01 | undecided, n needed 420 |" in half and "| 1.000 |" in half
    assert "**Photographs: does not hold.** One part." in said["in part"] and "dropdown" not in said["in part"]
    assert ": **Toyland: undecided.**\n: **Photographs: not checked.**\n: *To look at:*" in said["shown"]


def test_what_is_missing_is_said():
    shelf = contrasts(STEPS)
    found = judged([p for t in (asked(n=20), asked(n=20, cluster="mosaic")) for p in parts(t, shelf)], shelf)
    assert sentence("toyland", "undecided", found) == (
        "**Toyland: undecided.** 2 parts; 12 of 20 images so far; 12 of 20 mosaics so far."
    )
    assert [line.split("|")[2].strip() for line in table(found)[4:]] == ["12 of 20"] * 2
    none = judged(parts(asked(n=20), contrasts([])), contrasts([]))
    assert "none of 20 images so far" in sentence("toyland", "undecided", none)
    assert "found" not in table(none)[0] and settings(none, {"one": 1}, shelf).startswith("`toy-resnet50`; rows `set`.")


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (asked(), "`A` − `B` > 0"),
        (asked(direction="less", against=0.3), "`A` − `B` < 0.3"),
        (asked(direction="same", margin=0.02), "`A` − `B` within ±0.02"),
        (asked("A @ layer2", layers=["layer1"]), "`A` at `layer2` − `B` at `layer1` > 0"),
    ],
)
def test_what_is_asked_is_printed(test, said):
    assert contrast(*parts(test, contrasts(STEPS))) == said


def test_metrics_are_named_where_they_differ():
    test = asked("Holistic-CAM : fine-clip", ["Holistic-CAM : fine-before"], rows=["structure-toyland"], metrics=[])
    assert contrast(*parts(test, REAL)) == "`Holistic-CAM`: `fine-clip` − `fine-before` > 0"


def test_the_index_has_both_worlds_and_identities(ledger):
    lines = index(ledger)
    start = lines.index("UCAG")
    assert lines[start + 2 : start + 6] == [
        "- Fig. 1: Toyland holds, holds in part, does not hold, undecided (2); "
        "Photographs does not hold, not checked (4)",
        "- Fig. 2: identity",
        "- Fig. 3: not checked",
        "- Fig. 4: not checked",
    ]
