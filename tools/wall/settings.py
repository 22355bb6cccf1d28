"""What is asked of each explainer on the wall: its defaults, or fewer questions where those would take minutes."""

from __future__ import annotations

import dataclasses

import holicam as hc
from holicam.methods.table import TABLE

NETWORK = "efficientnet-lite0"
CHANNELS = (144, 240, 672, 1280)  # of the four stages; a test asks the network

# Where the defaults ask too much of a page that is made on one core.
SETTINGS: dict[str, dict[str, object]] = {
    "rise": {"masks": 1000},
    "occlusion": {"window": 64, "stride": 16},
    "extremal-perturbation": {"areas": (0.1,), "steps": 150},
}

LEFT_OUT = {
    "ss-cam": "Left out for its cost: it asks Score-CAM's questions 35 times, 82,000 forwards for the four stages.",
    "is-cam": "Left out for its cost: it asks Score-CAM's questions ten times, 23,000 forwards for the four stages.",
}

# Called together: passes at eight scales run once, and what is asked about a channel is asked once.
TOGETHER = (("msg-cam", "cameras", "holistic-cam"), ("pcam+", "pcam-", "pcam+-", "cam+", "cam-", "cam+-"))

CHUNK = 16  # images in a pass: on one core twice as fast as 64, and no map depends on it

QUESTIONS = {
    "asked": "the class that the picture shows, by the trained network",
    "another": "another class, by the trained network",
    "forgotten": "the same class, by a network whose weights were drawn anew",
}
# What takes minutes is asked of these pictures first.
FIRST = ("cat", "mosaic-cat", "coffee", "mosaic-tripod")
FOR_EVERY_QUESTION = ("grad-cam", "layer-cam", "holistic-cam")


def ready(method: str) -> hc.methods.registry.Explainer:
    """The explainer with its settings on the wall."""
    made = hc.explainers[method](**SETTINGS.get(method, {}))
    return dataclasses.replace(made, chunk=CHUNK) if getattr(made, "chunk", CHUNK) > CHUNK else made


def takes(method: str) -> str:
    """What it reads: "layer", "joint" (several layers for one map) or "input"."""
    return getattr(ready(method), "takes", "layer")


def code(method: str) -> str:
    """The explainer as a reader writes it: "hc.RISE(masks=1000)"."""
    given = ", ".join(f"{key}={value!r}" for key, value in SETTINGS.get(method, {}).items())
    return f"hc.{TABLE[method].kind}({given})"


def forwards(method: str) -> float:
    """About how many forwards and backwards a picture costs here, for the four stages together."""
    row, channels = TABLE[method], sum(CHANNELS)
    if method in SETTINGS:
        return {"rise": 1000, "occlusion": 122, "extremal-perturbation": 600}[method]
    if row.forwards > 2000:  # once a channel, or twice
        return channels * (2 if method.endswith("+-") else 1)
    return row.forwards + 2 * row.backwards + (33 * 3 if method == "msg-cam" else 0)


def groups() -> list[tuple[str, ...]]:
    """All explainers that are asked, cheapest first; those of a group are asked together."""
    grouped = {name: group for group in TOGETHER for name in group}
    found = {grouped.get(name, (name,)) for name in TABLE if name not in LEFT_OUT}
    return sorted(found, key=lambda group: (max(map(forwards, group)), list(TABLE).index(group[0])))
