"""The verdicts of the ledger: every part of every claim, adjusted in its family, and what follows for the claim.

A part is decided by `experiments.verdicts.judge`, once its sets hold as many images as were planned; until then it is
undecided, whatever they say so far. Holm's adjustment counts all parts of a family in one world, those that have no
rows yet as well, with p = 1: what is decided stays decided when the others come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holicam.experiments.evidence import FEWEST, Difference, differences, holm, needed
from holicam.experiments.verdicts import Test, judge, together
from tools.pages.asked import Part, parts, values
from tools.pages.shelf import Shelf

WORLDS = {"toyland": "Toyland", "photographs": "Photographs"}
Key = tuple[str, str, str]  # paper, place, world


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of a part. there: images or clusters stored. p: adjusted, None before the planned n is there.

    needed: images for an interval as wide as the step, or as twice the margin; None where the part is decided, where
    that is not known from twelve values, or where the planned n is enough.
    """

    part: Part
    there: int
    difference: Difference
    p: float | None
    verdict: str
    needed: int | None

    @property
    def planned(self) -> int:
        """How many images or clusters were planned."""
        return self.part.test["n"]


def rule(part: Part) -> Test:
    """The rule of a part: the step that is typed, else the printed one, but none beside `against`; a tie is none."""
    test = part.test
    step = None if "against" in test else test.get("step") or part.printed or None
    return Test(test["direction"], step, test.get("margin"), test["n"])


def judged(family: Sequence[Part], shelf: Shelf) -> list[Answer]:
    """The parts of one family in one world, in their order."""
    asked = [values(part, shelf) for part in family]
    found = differences([each for each, _, _ in asked], [grouping for _, grouping, _ in asked])
    whole = [there >= part.test["n"] for part, (_, _, there) in zip(family, asked, strict=True)]
    adjusted = holm([each.p if full and each.n else 1.0 for each, full in zip(found, whole, strict=True)])
    answers = []
    for part, (_, _, there), each, full, p in zip(family, asked, found, whole, adjusted.tolist(), strict=True):
        test = rule(part)
        verdict = judge(each, p, test) if full else "undecided"
        more = _needed(each, test, full) if verdict == "undecided" else None
        answers.append(Answer(part, there, each, p if full else None, verdict, more))
    return answers


def _needed(found: Difference, test: Test, full: bool) -> int | None:
    width = test.step or (2 * test.margin if test.margin else None)
    images = None if width is None or found.n < FEWEST else needed(found.sd, width)
    return images if images and (full or images > test.n) else None


def answers(claims: Sequence[Mapping[str, object]], shelf: Shelf) -> dict[Key, list[Answer]]:
    """{(paper, place, world): the parts of a claim's tests there}, without worlds in which it is not asked."""
    families: dict[tuple[str, str], list[tuple[Key, Part]]] = {}
    for claim in claims:
        for test in claim.get("test", ()):
            key = claim["paper"], claim["place"], test["world"]
            family = families.setdefault((test["world"], test["family"]), [])
            family += [(key, part) for part in parts(test, shelf)]
    found: dict[Key, list[Answer]] = {}
    for family in families.values():
        for (key, _), answer in zip(family, judged([part for _, part in family], shelf), strict=True):
            found.setdefault(key, []).append(answer)
    return found


def verdict(claim: Mapping[str, object], world: str, found: Mapping[Key, list[Answer]]) -> str:
    """Of a claim in a world: what its parts say together.

    Without parts it is "open", not checked, except for a measured claim that no test asks anywhere: where a chapter
    shows it on a few images it is "undecided".
    """
    key = claim["paper"], claim["place"], world
    if key in found:
        return together([answer.verdict for answer in found[key]])
    shown = claim.get("shown", "toyland") if claim["kind"] == "measured" and "test" not in claim else ""
    return "undecided" if shown == world else "open"
