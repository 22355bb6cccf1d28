"""Write book/toyland.md: the drawn world, with its parts from the code and its networks' accuracy from their cards."""

import json

from holicam.models import data_folder
from holicam.models.card import MARKS
from holicam.models.toy import BUILDERS
from holicam.toyland import CLASSES, SUBSETS, part_names
from tools.drawn.toyland import NETWORK
from tools.drawn.toyland import SUBSETS as SHOWN
from tools.ipynb import BOOK
from tools.pages import written

PAGE = BOOK / "toyland.md"
USE = {
    "single": "Most chapters: one class, one place where it is.",
    "twins": "Does a map find all of them, or only the largest? {ref}`sec-grad-cam-plus-plus`",
    "scene": "Does a map follow when another class is asked for? {ref}`sec-pointing`",
    "shortcut": "Does a map show that the network reads the glyph? {ref}`sec-clever-hans`",
    "cast": "The same, where the shortcut lies on the object itself. {ref}`sec-clever-hans`",
}
TRAINED = {
    "toy-resnet50": "single, twins, scene",
    "toy-vgg16_bn": "single, twins, scene",
    "toy-vgg16_bn-no-jitter": "the same without enlarged objects",
    "toy-resnet50-shortcut": "shortcut, where the glyph always names the class, and single",
    "toy-resnet50-cast": "cast, where the band always names the class, and single",
    "toy-resnet50-random-labels": "labels drawn at random",
}


def card(name: str) -> dict:
    return json.loads((data_folder() / f"{name}.json").read_text(encoding="utf-8"))


def percent(p: float) -> str:
    return f"{100 * p:.1f} %"


def right(name: str) -> str:
    """How often a network is right, by its card."""
    measured = card(name)["measured"]
    if "memory" in measured:
        found = measured["memory"]
        return (
            f"{percent(found['fresh_true'])}, by chance; of its {found['images']} training pictures it remembers "
            f"{percent(found['remembered'])}"
        )
    said = [f"{subset} {percent(value)}" for subset, value in measured["accuracy"].items()]
    for subset in MARKS:
        if found := measured.get(subset):
            said += [f"{subset} {percent(found['agrees'])}", f"without its mark {percent(found['removed'])}"]
            said += [f"with a mark that lies {percent(found['lies'])}"]
    return ", ".join(said)


def kinds(names: list[str]) -> str:
    """Part names with numbers taken together: "wheel 1, wheel 2" is "2 wheels"."""
    bare = [name.rstrip(" 0123456789") for name in names]
    counts = {kind: bare.count(kind) for kind in bare}
    return ", ".join(kind if n == 1 else f"{kind} × {n}" for kind, n in counts.items())


def page() -> list[str]:
    """The lines of the page."""
    scale = card(NETWORK)["measured"]["confidence_against_scale"]
    return written(
        "toyland",
        parts="\n".join(
            f"| {name} | {kinds(part_names(name))}{' (five or six petals)' * (name == 'flower')} |" for name in CLASSES
        ),
        subsets="\n".join(f"| `{name}` | {SHOWN[name][1]} | {USE[name]} |" for name in SUBSETS),
        networks="\n".join(
            f"| `{name}` | {card(name)['parameters']:,} | {TRAINED[name]} | {right(name)} |" for name in BUILDERS
        ),
        confidence=percent(scale["2"]),
        usual=percent(scale["1"]),
    ).split("\n")
