"""Write book/claims.md, the claim ledger, from data/claims.toml and the stored rows.

A claim names the paper and the place and says what is claimed. Its kind is

    measured    what its tests say of stored rows, a verdict for each world (`judging`); beside it stands what a
                chapter shows on a few images (`found`), which decides nothing
    identity    derivations, notation, counts of operations: the verdict is typed, and no count has it
    open        not checked; `why` says the reason
"""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence

from holicam.experiments.enlarged import line
from holicam.experiments.verdicts import WORDS
from tools.chapters import Chapter, by_number
from tools.ipynb import BOOK, ROOT
from tools.pages import PAPERS, folded, written
from tools.pages.answers import FOLD, sentence, settings, table
from tools.pages.found import finding
from tools.pages.judging import WORLDS, Answer, Key, answers, verdict
from tools.pages.shelf import Shelf

SOURCE, PAGE = ROOT / "data" / "claims.toml", BOOK / "claims.md"
KINDS = ("measured", "identity", "open")
# What the rows of a world are of: networks at a size, and the pictures that they are shown.
AT_HOME = {
    "toyland": tuple((("toy-resnet50", "toy-vgg16_bn"), 224, pictures) for pictures in ("single", "scene")),
    "photographs": ((("efficientnet-lite0",), 224, "photographs"),),
}
IDENTITIES = {"true": "true", "partly": "true in part", "slip": "not as written", "note": "a note"}
# Every figure and table of the papers; a claim `covers` some of them.
PRINTED = {
    "holistic": (
        [f"Fig. {n}" for n in range(1, 10)]
        + ["Table 1", "Table 2"]
        + [f"Table A{n}" for n in range(1, 7)]
        + ["Fig. A1", "Fig. A2", "poster"]
    ),
    "polycam": [f"Fig. {n}" for n in range(1, 29)] + [f"Table {n}" for n in range(1, 6)],
    "ucag": [f"Fig. {n}" for n in range(1, 6)] + [f"Table {n}" for n in range(1, 6)],
}


def claims() -> list[dict]:
    """The claims as they stand in the file."""
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))["claim"]


class Ledger:
    """The claims, the answers to their tests, and the chapters. shelf: by default of data/results."""

    def __init__(self, some: Sequence[Mapping] | None = None, shelf: Shelf | None = None) -> None:
        self.claims = list(claims() if some is None else some)
        self.shelf = shelf or Shelf()
        self.found: dict[Key, list[Answer]] = answers(self.claims, self.shelf)
        self.sizes = Counter(
            (world, answer.part.test["family"]) for (_, _, world), those in self.found.items() for answer in those
        )

    def of_kind(self, kind: str, paper: str | None = None) -> list[Mapping]:
        """Claims, in order."""
        return [c for c in self.claims if c["kind"] == kind and paper in (None, c["paper"])]

    def verdict(self, claim: Mapping, world: str) -> str:
        """A key of WORDS; of a claim that is open, in every world "open"."""
        return verdict(claim, world, self.found)

    def answers(self, claim: Mapping, world: str) -> list[Answer]:
        """The parts of a claim that are asked in a world."""
        return self.found.get((claim["paper"], claim["place"], world), [])

    def sizes_in(self, world: str) -> dict[str, int]:
        """{family: how many parts it has} in a world."""
        return {family: count for (where, family), count in self.sizes.items() if where == world}


def measured(claim: Mapping, ledger: Ledger, book: Mapping[int, Chapter]) -> list[str]:
    """The entry of a measured claim."""
    classes = [f"{world}-{ledger.verdict(claim, world)}" for world in WORLDS]
    out = [f":::::{{div}} claim paper-{claim['paper']} {' '.join(classes)}", f"{claim['place']}"]
    out.append(f": *The paper:* {claim['says']}")
    out += [f": *Asked:* {claim['asked']}"] if "asked" in claim else []
    out += [
        f": {sentence(world, ledger.verdict(claim, world), ledger.answers(claim, world))}"
        for world in WORLDS
        if "test" not in claim or ledger.answers(claim, world)
    ]
    if "ours" in claim:
        out.append(f": *To look at, on {claim['seen']}:* {finding(claim, book)}.")
    elif where := finding(claim, book):
        out.append(f": *To look at:* {where}.")
    out += [f": {claim['why']}"] if "why" in claim else []
    out.append("")
    for world in WORLDS:
        found = ledger.answers(claim, world)
        for network in dict.fromkeys(answer.part.test["network"] for answer in found):
            those = [answer for answer in found if answer.part.test["network"] == network]
            lines = [settings(those, ledger.sizes_in(world), ledger.shelf), "", *table(those)]
            title = f"{WORLDS[world]}, {network}: {len(those)} parts"
            out += folded(title, lines) if len(those) > FOLD else [*lines, ""]
    return [*out[:-1], ":::::", ""]


def other(claim: Mapping, book: Mapping[int, Chapter]) -> list[str]:
    """The entry of an identity, or of what is not checked."""
    word = f": *{IDENTITIES[claim['verdict']]}*" if claim["kind"] == "identity" else ""
    out = [f":::::{{div}} claim paper-{claim['paper']} {claim['kind']}"]
    out += [f"{PAPERS[claim['paper']][0]}, {claim['place']}{word}", f": *The paper:* {claim['says']}"]
    out += [f": *Here:* {here}." for here in [finding(claim, book)] if here]
    return [*out, f": {claim['why']}", ":::::", ""]


def totals(ledger: Ledger) -> list[str]:
    """Papers, worlds and verdicts, counted, without identities."""
    out = ["| world | paper | " + " | ".join(WORDS.values()) + " | together |", "|---" * (len(WORDS) + 3) + "|"]
    counted = [claim for claim in ledger.claims if claim["kind"] != "identity"]
    for world, name in WORLDS.items():
        for paper, title in [(key, title) for key, (title, _) in PAPERS.items()] + [(None, "all")]:
            found = Counter(ledger.verdict(c, world) for c in counted if paper in (None, c["paper"]))
            cells = [str(found[word]) for word in WORDS]
            out.append(f"| {name} | {title} | {' | '.join(cells)} | {sum(found.values())} |")
    return out


def at_home() -> list[str]:
    """What the networks of each world still know of enlarged pictures."""
    return [
        f"- *{WORLDS[world]}.* {' '.join(line(*networks, size=size, pictures=pictures).split())}"
        for world, found in AT_HOME.items()
        for networks, size, pictures in found
    ]


def index(ledger: Ledger) -> list[str]:
    """Each figure and table of the papers, and what became of it."""
    out = ["## Every figure and table", ""]
    out += ["What the three papers print, and the verdicts of the claims above that rest on it.", ""]
    for paper, (name, _) in PAPERS.items():
        out += [name, ""]
        for printed in PRINTED[paper]:
            those = [c for c in ledger.claims if c["paper"] == paper and printed in c["covers"]]
            said = [words(those, world, ledger) for world in WORLDS]
            said += ["identity" for _ in those[:1] if any(c["kind"] == "identity" for c in those)]
            out.append(f"- {printed}: {'; '.join(filter(None, said)) or WORDS['open']}")
        out.append("")
    return out


def words(those: Sequence[Mapping], world: str, ledger: Ledger) -> str:
    """ "Toyland holds, undecided (2)": of the claims that a world has been asked."""
    found = Counter(ledger.verdict(c, world) for c in those if c["kind"] == "measured")
    counts = [f"{WORDS[key]}{f' ({found[key]})' if found[key] > 1 else ''}" for key in WORDS if found[key]]
    return f"{WORLDS[world]} {', '.join(counts)}" if set(found) - {"open"} else ""


def page(ledger: Ledger | None = None) -> list[str]:
    """The page, line by line."""
    ledger, book = ledger or Ledger(), by_number()
    count = len(ledger.of_kind("identity"))
    home = "\n".join(at_home())
    out = [written("claims", totals="\n".join(totals(ledger)), identities=count, home=home), ""]
    for paper, (name, key) in PAPERS.items():
        out += [f"## {name}", "", f"{{cite:t}}`{key}`.", ""]
        for claim in ledger.of_kind("measured", paper):
            out += measured(claim, ledger, book)
    out += ["## Identities and notation", "", "Derivations, formulas as they are written, and counts of operations."]
    out += ["They are exact, or a matter of words, and no number of images decides about them.", ""]
    for claim in ledger.of_kind("identity"):
        out += other(claim, book)
    out += ["## Not checked", ""]
    for claim in ledger.of_kind("open"):
        out += other(claim, book)
    return out + index(ledger)
