"""The claim ledger's file: what it says of the papers and of the chapters, and what it asks of which rows."""

import re
import tomllib
from collections import Counter

import pytest

from holicam.experiments.verdicts import FEWEST, WORDS
from tools.chapters import by_number
from tools.ipynb import BOOK
from tools.pages import found as reading
from tools.pages.asked import parts
from tools.pages.claims import IDENTITIES, KINDS, PRINTED, SOURCE, Ledger, claims
from tools.pages.found import finding, pattern, read
from tools.pages.judging import WORLDS, rule
from tools.pages.shelf import STAGES, Shelf
from tools.study.sets import SETS

CLAIMS, SHELF = claims(), Shelf()
TESTS = [(claim["place"], test) for claim in CLAIMS for test in claim.get("test", ())]
KEYS = {"paper", "place", "kind", "covers", "says", "asked", "chapter", "figure", "find", "check", "shown", "seen"}
KEYS |= {"ours", "verdict", "why", "test"}
ASKED = {"world", "rows", "network", "layers", "metrics", "one", "others", "against", "direction", "printed", "step"}
ASKED |= {"margin", "family", "cluster", "n", "primary"}
QUOTE = re.compile(r"“([^”]*)”")


@pytest.fixture(scope="module")
def book():
    return by_number()


def title(claim):
    return f"{claim['paper']}: {claim['place']}"


@pytest.mark.parametrize("claim", CLAIMS, ids=title)
def test_claim(claim, book):
    """It is of one kind, covers what is printed, and what it takes from a chapter stands in one cell."""
    assert set(claim) <= KEYS and claim["kind"] in KINDS and claim["paper"] in PRINTED
    assert set(claim["covers"]) <= set(PRINTED[claim["paper"]])
    finding(claim, book)  # raises where a number is gone or the check is not true any more
    assert ("find" in claim) == ("ours" in claim)
    if claim["kind"] == "identity":
        assert claim["verdict"] in IDENTITIES and "test" not in claim and claim["why"]
        numbers = re.findall(r"\{(\w+)\}", claim.get("ours", ""))
        assert not numbers or "check" in claim, "a typed verdict on numbers needs a check"
    else:
        assert "verdict" not in claim and "check" not in claim, "a verdict that is computed is not typed"
    if claim["kind"] == "open":
        assert "test" not in claim and "chapter" not in claim and claim["why"]
    if claim["kind"] == "measured":
        assert ("ours" in claim) == ("seen" in claim), "an illustration says on how many images"
        assert ("asked" in claim) == ("test" in claim), "what is tested is said in words"
        assert "test" in claim or "chapter" in claim
        assert claim.get("shown", "toyland") in WORLDS


@pytest.mark.parametrize("claim", CLAIMS, ids=title)
def test_quotes_are_short(claim):
    for key in ("says", "asked", "why"):
        said = claim.get(key, "")
        assert said.count("“") == said.count("”") == len(QUOTE.findall(said)) and '"' not in said
        for quote in QUOTE.findall(said):
            assert 0 < len(quote.split()) <= 25, quote


def test_no_quote_is_guarded_that_is_too_long():
    assert len(QUOTE.findall("“a b” and “c”")) == 2 and len(QUOTE.findall(" ".join(c["says"] for c in CLAIMS))) > 60


@pytest.mark.parametrize("paper", PRINTED)
def test_every_figure_and_table_is_covered(paper):
    covered = {item for c in CLAIMS if c["paper"] == paper for item in c["covers"]}
    assert covered == set(PRINTED[paper])


def test_places_are_unique():
    places = [(c["paper"], c["place"]) for c in CLAIMS]
    assert len(set(places)) == len(places)


# --- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "test"), TESTS, ids=[f"{place} {i}" for i, (place, _) in enumerate(TESTS)])
def test_a_test_names_what_its_sets_have(place, test):
    """Sets, networks, labels, layers and metrics exist, so that a slip cannot hide as "undecided"."""
    assert set(test) <= ASKED and test["world"] in WORLDS and test["family"]
    found = parts(test, SHELF)
    assert found
    for part in found:
        assert rule(part).n == test["n"] >= FEWEST  # raises where nothing could be decided
        assert part.printed is None or abs(part.printed) < 10, "in our unit, not in per cent"
    if "printed" in test:
        assert any(part.printed is not None for part in found), "the paper prints none of its steps"
    for name in test["rows"]:
        known = SHELF.known(name)
        assert (known.config is None) == (name in SETS)
        if known.config is not None:
            assert planned(known.config) == test["n"], "the set holds another number of images than the test wants"


def planned(config):
    """How many images or mosaics a set will hold."""
    if config.dataset["name"] == "mosaics":
        return 75  # of 300 photographs, as `hc.datasets.mosaics` has it
    return config.n or config.dataset["n"]


def test_the_worlds_of_sets_are_those_of_their_tests():
    for _, test in TESTS:
        here = "photographs" if any(name.partition("-")[0] == "photographs" for name in test["rows"]) else "toyland"
        studied = {SETS[name][1].partition("-")[0] for name in test["rows"] if name in SETS}
        assert {test["world"]} == (studied or {here})


def test_no_family_is_so_large_that_none_of_its_parts_can_be_sure():
    """The smallest p of twelve or thirteen values is 2 / 2^n, that of more is 1 / 10,000; Holm multiplies it."""
    found = Ledger().found
    sizes = Counter((world, a.part.test["family"]) for (_, _, world), those in found.items() for a in those)
    for (_, _, world), those in found.items():
        for a in those:
            least = max(2.0 / 2**a.planned, 1e-4)
            assert least * sizes[world, a.part.test["family"]] < 0.05, a.part.test["family"]


def test_stages_of_studies_are_those_of_their_networks():
    import holicam as hc

    for network, stages in STAGES.items():
        assert tuple(hc.stages(hc.load_model(network))) == stages


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": ["holistic-table3"]}, "there is no set holistic-table3"),
        ({"network": "toy-resnet"}, "has no network 'toy-resnet'"),
        ({"layers": ["Layer3"]}, "has no layer 'Layer3'"),
        ({"metrics": ["overall"]}, "has no metric 'overall'"),
        ({"one": "Holistic-CAM PGE=1"}, "no explainer is called 'Holistic-CAM PGE=1'"),
        ({"others": ["Holistic-CAM PGE=1;FSD=0 @ Layer9"]}, "has no layer 'Layer9'"),
        ({"layers": []}, "names no layer"),
        ({"printed": {"table": "holistic-cam-table9"}}, "there is no published table 'holistic-cam-table9'"),
    ],
)
def test_a_slip_in_a_test_is_an_error(change, said):
    good = next(test for _, test in TESTS if test["rows"] == ["holistic-table2"] and "printed" in test)
    assert parts(good, SHELF)
    with pytest.raises(ValueError, match=said):
        parts(good | change, SHELF)


# --- what chapters have printed --------------------------------------------------------------------


class Said:
    """A chapter that has printed three things."""

    path = BOOK / "00-none.ipynb"
    printed = {1: "layer1  0.25 ± 0.10\nlayer2 -0.50 ± 0.20", 2: "wrap {'a': '18.66%'}", 3: "layer1 again"}


def test_find_reads_one_cell():
    assert read(Said, "layer1 {a} ± {b} layer2 {c}") == (1, {"a": "0.25", "b": "0.10", "c": "-0.50"})
    assert read(Said, "layer1 ... layer2 {c}") == (1, {"c": "-0.50"})
    assert read(Said, "wrap {'a': '{a}'}") == (2, {"a": "18.66%"})
    assert reading.number("18.66%") == 18.66 and reading.number("1,024") == 1024
    with pytest.raises(ValueError, match=r"in cells \[1, 3\]"):
        read(Said, "layer1")
    with pytest.raises(ValueError, match="in no cell"):
        read(Said, "layer3 {a}")
    assert not pattern("ayer1").search("layer1"), "a word is not found in another word"


def test_a_check_is_python_with_the_numbers_as_names(book):
    claim = next(c for c in CLAIMS if c.get("check") == "a4 == 1 and b4 < 1")
    assert finding(claim, book)
    for bad in ("nowhere > 1", "open('a')", "__import__('os')"):
        with pytest.raises((NameError, ImportError)):
            finding(claim | {"check": bad}, book)
    with pytest.raises(ValueError, match="is not true of"):
        finding(claim | {"check": "a4 < b4"}, book)


def test_the_file_is_read_whole():
    assert tomllib.loads(SOURCE.read_text(encoding="utf-8")).keys() == {"claim"}
    assert set(WORDS) == {"holds", "partly", "fails", "undecided", "open"}
