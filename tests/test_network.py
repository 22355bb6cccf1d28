"""holicam.network and holicam.guard: one door to a user's network, and what it promises."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "holicam"
NETWORKS = {"model", "net", "network", "random_model"}
# `train` and `card` run the networks that this package trains itself, on images that it draws.
EXEMPT = {"network.py", "train.py", "card.py"}


def calls_of_networks(path: Path) -> list[str]:
    """Where a file calls something that has the name of a network, or a network's `forward`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in NETWORKS or isinstance(node.func, ast.Attribute) and name == "forward":
                found.append(f"{path.name}:{node.lineno}")
    return found


def test_every_forward_goes_through_one_door():
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in EXEMPT]
    assert not [place for path in files for place in calls_of_networks(path)]
    assert calls_of_networks(PACKAGE / "network.py")
