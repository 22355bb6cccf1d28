"""How few scales are as good as eight: python benchmarks/fast.py --photos FOLDER [--seconds S]

Holistic-CAM's eight scales cost 60.9 F, forwards and backwards at the image's own size. This finds the cheapest
setting that is equivalent to them, by margins that were written down, and committed, before any row below was made.

**Candidates.** The first 1, 2, 3, 4 and 5 of the default's scales, and the first with the third: 1.0, 3.1, 6.7, 12.1,
19.9 and 4.6 F. All filter the wrap in eight bits (quantize=True), which takes a tenth of the median's time. Subsets of
the default's own scales, because in a pilot on four photographs and three drawings, which are left out below, they
came nearer to its map than 1.5, 2 and 3 at the same cost. The pilot also gave 0.89 to 0.96 as the correlation of one
scale, so a margin of 0.9 would ask for next to nothing.

**Pictures.** Two worlds: photographs, seen by EfficientNet-Lite0, and Toyland's test split, by toy-resnet50; 224 px,
four stages of each network. `singles`: pictures asked for their top-1 class. `mosaics`: 100, each of four other
pictures, 112 px a side, of four classes, each of which its network alone gives 0.5 or more; one is asked for by the
class that the network gives it alone, top left, top right, bottom left and bottom right in turn. No picture is used
twice.

**Measures and margins.** For a candidate to be equivalent, all of these hold in both worlds:

- *correlation*: Pearson's, of the candidate's map and the default's, pixel by pixel. Its mean is above 0.95, nine
  tenths of the variance, at each stage, on singles and on mosaics.
- *pointing*: the share of the map's positive part that lies in the asked quarter of a mosaic (chance: 0.25). The mean
  difference from the default's share, on the same mosaics, is within 0.05 at each stage: a fifth of chance, and a sixth
  of what lay between Holistic-CAM and Layer-CAM in a first look.
- *over-all*: insertion minus deletion, Holistic-CAM's protocol of 14 steps, on the first singles. The mean difference
  from the default's, averaged over the four stages of a picture, is within 0.02, two points of the published tables.
  Each stage is printed too, and not tested: the score of one map of one picture is noisy (0.05 in the pilot).

"Above" and "within" mean the whole 95 % bootstrap interval over pictures: two one-sided tests at 2.5 %.
All stages, pictures and measures must pass, so none is corrected for their number. The choice among candidates is
made by correlation and pointing on mosaics alone, the cheapest that passes; then it has to pass on the singles, which
the choice has not seen, correlation and over-all both. Over-all is measured for the chosen one and for the next
dearer, which takes its place where it fails. 24 singles of each world come first, then 16 more where the interval of
over-all is not yet less than 0.02 wide; that rule looks at the width alone.

**Changed on the way.** The machine turned out slow: 24 singles first, not 32 (before any single was measured), and 40
at most, not 100 (after Toyland's 24 and two photographs). And 600 photographs gave 92 mosaics of which the network was
sure; the last eight are of photographs that were to be singles and had not been measured. Margins and candidates are
as they were.

Networks run in channels-last memory, twice as fast on a CPU and the same to rounding. Rows go to --rows as they are
made, and a second run goes on where the first was stopped. Writes benchmarks/results/fast.json, and, of the stage of
each candidate that does worst, data/results/chapter05-scales.csv, which chapter 05 draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import lru_cache
from pathlib import Path

import torch
from equivalence import CANDIDATES, RESULTS, SCALES, Rows, chosen, cost, estimate, report, write_csv
from timing import Clock, machine, medians
from torch import Tensor
from worlds import COUNT, SIDE, SINGLES, World

import holicam as hc

FIRST, WIDTH = 24, 0.02
Maps = dict[str, list[Tensor]]  # {setting: one map (1, H, W) a stage}


def maps_of(world: World, image: Tensor, target: int | None) -> Maps:
    """The default's maps and every candidate's, from eight passes, weights and wraps that they share.

    They are those of HolisticCAM() and HolisticCAM(scales=..., quantize=True), which would do all of it seven times.
    """
    image, size = image.contiguous(memory_format=torch.channels_last), (SIDE, SIDE)
    passes = list(hc.holistic.multi_scale(world.model, image, world.stages, target))
    default, fast = hc.HolisticCAM(), hc.HolisticCAM(quantize=True)
    found: Maps = {name: [] for name in ("default", *CANDIDATES)}
    for layer in world.stages:
        A = [seen.A[layer].contiguous() for seen in passes]  # the fusion reads one channel after another
        W = [default.weights(a, seen.G[layer].contiguous()) for a, seen in zip(A, passes, strict=True)]
        one = hc.fusion.fuse(A[:1], W[:1], size)
        wrap = fast.wrap(one)[-1]
        found["default"].append(hc.fusion.fuse(A, W, size) * default.wrap(one)[-1])
        for name, which in CANDIDATES.items():
            M = hc.fusion.fuse([A[t] for t in which], [W[t] for t in which], size) if len(which) > 1 else one
            found[name].append(M * wrap)
    return found


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1])


def share(m: Tensor, quarter: int) -> float:
    """Of the positive part, what lies in the quarter; NaN for a map without one."""
    positive, half = m[0].relu().double(), SIDE // 2
    y, x = half * (quarter // 2), half * (quarter % 2)
    return float(positive[y : y + half, x : x + half].sum() / positive.sum())


def over_all(world: World, name: str, image: Tensor, m: Tensor) -> float:
    image = image.contiguous(memory_format=torch.channels_last)
    run = hc.metrics.insertion_deletion(world.model, image, m, None, ids=[name], protocol="holistic-cam")
    return float(run.over_all)


def measure(worlds: list[World], rows: Rows, clock: Clock) -> None:
    """All that is still missing, as far as time goes."""
    for kind, some in (("mosaics", COUNT), ("singles", FIRST)):
        for world in worlds:
            _measure(world, kind, some, rows, clock)
    for world in worlds:
        _measure(world, "singles", SINGLES, rows, clock)


def _measure(world: World, kind: str, some: int, rows: Rows, clock: Clock) -> None:
    there = len(rows.of(kind, world.name))
    if there >= some:
        return
    for n, (name, image, target) in zip(range(some), _pictures(world, kind), strict=False):
        if n < there or clock.left() < 0:
            continue
        asked = to_score(world.name, rows, n) if kind == "singles" else []
        if kind == "singles" and not asked:
            return  # over-all is known well enough
        maps = maps_of(world, image, target)
        row = {
            "correlation": {
                k: [correlation(*pair) for pair in zip(maps[k], maps["default"], strict=True)] for k in CANDIDATES
            }
        }
        if kind == "mosaics":
            row["pointing"] = {k: [share(m, n % 4) for m in of] for k, of in maps.items()}
        else:
            row["over-all"] = {k: [over_all(world, name, image, m) for m in maps[k]] for k in ["default", *asked]}
        rows.add(kind=kind, world=world.name, picture=name, **row)


@lru_cache(maxsize=8)
def _cached(world: World, kind: str) -> list[tuple[str, Tensor, int | None]]:
    return list(getattr(world, kind)())


def _pictures(world: World, kind: str) -> list[tuple[str, Tensor, int | None]]:
    return _cached(world, kind)


def to_score(world: str, rows: Rows, n: int) -> list[str]:
    """The chosen candidate and the next dearer, until the interval of over-all is narrow."""
    names = sorted(CANDIDATES, key=cost)
    at = names.index(chosen(rows) or names[-1])
    if n >= FIRST:
        low, high = estimate(rows, "singles", world, "over-all", names[at])["mean"][1:]
        if high - low < WIDTH:
            return []
    return names[at : at + 2]


def seconds(world: World, name: str) -> dict[str, float]:
    """CPU seconds a picture, four stages, as anybody calls it: the default, the chosen one."""
    image = world.picture(0)[1]
    model = hc.load_model(world.network)
    fast = hc.HolisticCAM(scales=[SCALES[t] for t in CANDIDATES[name]], quantize=True)
    cams = {"default": hc.HolisticCAM(), "fast": fast}
    return medians({k: lambda cam=cam: cam(model, image, world.stages) for k, cam in cams.items()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="a folder of 600 photographs or more")
    parser.add_argument("--rows", type=Path, default=RESULTS / "fast-rows.jsonl")
    parser.add_argument("--seconds", type=float, help="begin no picture after these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began, rows = time.monotonic(), Rows(options.rows)
    worlds = [
        World("Toyland", "toy-resnet50", ["layer1", "layer2", "layer3", "layer4"]),
        World(
            "photographs",
            "efficientnet-lite0",
            ["blocks.2.0.bn1", "blocks.3.0.bn1", "blocks.5.0.bn1", "bn2"],
            options.photos,
        ),
    ]
    measure(worlds, rows, Clock(options.seconds))
    result = report(worlds, rows)
    if name := result["equivalent"]:
        result["seconds"] = {world.name: seconds(world, name) for world in worlds}
    (RESULTS / "fast.json").write_text(json.dumps({**result, **machine()}, indent=1) + "\n")
    write_csv(result)
    sys.stdout.write(f"{len(rows.all)} pictures, {time.monotonic() - began:.0f} s: equivalent {name}\n")
    return int(name is None)


if __name__ == "__main__":
    sys.exit(main())
