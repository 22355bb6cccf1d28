"""Everything that changes an insertion or deletion score and is not the map, in one record.

Four papers print numbers under the same two names. Their baselines, steps, integration and class
differ, so a number means something only beside the name of its protocol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..core.baselines import Baseline, GaussianBlur, RiseBlur, Zeros
from ..core.ops import SCORES, one_of
from ..models.alike import UnknownNameError, close_names
from .ranking import TIES


class UnknownProtocolError(UnknownNameError):
    """No protocol of that name; the message lists the close ones."""


@dataclass(frozen=True)
class Protocol:
    """How insertion and deletion are run. `dataclasses.replace` makes a variant; rename it then. Built in chapter 14.

    Args:
        name: shown beside the numbers.
        insertion: the baseline that pixels come from.
        deletion: the baseline that pixels go to.
        rows: times the image's width is the number of pixels that change at once. Give this or `steps`.
        steps: intervals that the image is divided into, the last one possibly short.
        auc: "trapezoid" over the true fractions, or "right", the mean of the points after the first.
        equal_spacing: the trapezoids get equal widths, also a short last one.
        score: "prob" (softmax), "sigmoid" for labels that do not exclude each other, or "logit", which also
            suits a network that ends in a softmax or sigmoid. A callable target receives what it names
            (`ops.select_score`): give "logit" to one that wants logits.
        target: "pred" allows target=None for the top-1 class; "label" wants it given.
        preprocess: how the paper makes images into tensors. A note: metrics receive tensors.
        tie: the rule for equal values, see `ranking`; the reference implementations leave it to their library.
        seed: of that rule and of noise.

    Raises:
        ValueError: neither rows nor steps, or both; an option that is none.

    Example:
        >>> import holicam as hc
        >>> from dataclasses import replace
        >>> replace(hc.metrics.protocols["holistic-cam"], name="four", steps=4).counts(8, 8)
        [0, 16, 32, 48, 64]
    """

    name: str
    insertion: Baseline
    deletion: Baseline
    rows: int | None = None
    steps: int | None = None
    auc: str = "trapezoid"
    equal_spacing: bool = False
    score: str = "prob"
    target: str = "pred"
    preprocess: str = "std"
    tie: str = "hash"
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("auc", self.auc, ("trapezoid", "right"))
        one_of("score", self.score, SCORES)
        one_of("target", self.target, ("pred", "label"))
        one_of("tie", self.tie, TIES)
        for name in ("insertion", "deletion"):
            if not callable(getattr(self, name)):
                raise ValueError(
                    f"{name} must be a baseline, images (B, C, H, W) -> images of the same shape, such as "
                    f"hc.metrics.Zeros(); got {getattr(self, name)!r}"
                )
        given = [n for n in (self.rows, self.steps) if n is not None]
        if len(given) != 1 or isinstance(given[0], bool) or not isinstance(given[0], int) or (given[0] < 1):
            raise ValueError(
                f"a protocol needs either rows or steps, a positive int; got rows={self.rows!r}, steps={self.steps!r}"
            )

    def counts(self, height: int, width: int) -> list[int]:
        """Changed pixels at each point of the curve: 0, s, 2s, ... and the whole image."""
        pixels = height * width
        step = -(-pixels // self.steps) if self.steps else (self.rows or 1) * width
        return [*range(0, pixels, step), pixels]

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the record: another field, another id."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


_ALL = (
    # Petsiuk et al. 2018, their notebook for one image: 224 pixels a step. Their run over a whole
    # data set takes 1,792: replace(protocols["rise"], name="rise-8", rows=8).
    Protocol("rise", insertion=RiseBlur(11, 5.0), deletion=Zeros(), rows=1),
    # Poly-CAM: one blur for both games, and no point at the start.
    Protocol(
        "poly-cam",
        insertion=GaussianBlur(11, 5.0),
        deletion=GaussianBlur(11, 5.0),
        rows=1,
        auc="right",
        preprocess="poly-cam",
    ),
    # UCAG: eight rows a step, 28 steps at 224 pixels, and the label as class.
    Protocol("ucag", insertion=GaussianBlur(51, 50.0), deletion=Zeros(), rows=8, target="label", preprocess="ucag"),
    # Holistic-CAM prints "3.6 %" a step; baselines and class are inferred, not printed.
    Protocol("holistic-cam", insertion=GaussianBlur(51, 50.0), deletion=Zeros(), steps=28, preprocess="holistic-cam"),
)
# Half the points of the curves for half the forwards, where a study asks for many images: "holistic-cam-14" and so on.
COARSE = 14
_COARSE = (replace(p, name=f"{p.name}-{COARSE}", rows=None, steps=COARSE) for p in _ALL)
protocols: Mapping[str, Protocol] = MappingProxyType({p.name: p for p in (*_ALL, *_COARSE)})


def protocol_of(protocol: str | Protocol) -> Protocol:
    """A protocol by name, or the one given.

    Args:
        protocol: "rise", "poly-cam", "ucag", "holistic-cam", the same with 14 steps ("ucag-14"), or a `Protocol`.

    Raises:
        UnknownProtocolError: no protocol of that name; it lists close ones.
        TypeError: neither a name nor a protocol.

    Example:
        >>> import holicam as hc
        >>> hc.metrics.protocol_of("ucag").counts(224, 224)[:3]
        [0, 1792, 3584]
    """
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str):
        raise TypeError(f"protocol must be a name or a Protocol; got {protocol!r}")
    if protocol not in protocols:
        close = close_names(protocol.lower(), protocols)
        raise UnknownProtocolError(f"there is no protocol {protocol!r}; close names are {close}")
    return protocols[protocol]


def check_target(protocol: Protocol, target: object) -> None:
    """Raise ValueError where the protocol scores the labelled class and none is given."""
    if target is None and protocol.target == "label":
        raise ValueError(f"protocol {protocol.name!r} scores the labelled class: give target, one class per image")
