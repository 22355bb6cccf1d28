"""What holds for every metric: cost, batches, degenerate maps, protocols, the registry, errors."""

import ast
import inspect
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import torch

import holicam as hc
from holicam.metrics import (
    GaussianBlur,
    Protocol,
    RiseBlur,
    UnknownMetricError,
    UnknownProtocolError,
    Zeros,
    measure,
    protocols,
    registry,
)
from tests.helpers.nets import Counting, TinyNet, random_images
from tests.helpers.waits import given as called_with

RUN = hc.metrics.insertion_deletion
FOLDER = Path(hc.metrics.__file__).parent
NAMES = ["insertion", "deletion", "over-all", "epg", "epg-top100", "epg-count"]
LOWER = {
    "deletion",
    "map-density-",
    "outside-inside",
    "average-drop",
    "sensitivity-max",
    "infidelity",
    "distractor-leakage",
}


def setting(size=3, height=14, width=11, dtype=torch.float32):
    images = random_images(size, 3, height, width, dtype=dtype)
    maps = random_images(size, height, width, seed=9).round(decimals=1).to(dtype)
    return TinyNet().to(dtype), images, maps, [1, 4, 0, 2, 3][:size]


@pytest.mark.parametrize(
    ("protocol", "games", "forwards"),
    [
        ("holistic-cam", ("insertion", "deletion"), 57),
        ("ucag", ("insertion", "deletion"), 57),
        ("holistic-cam", "insertion", 29),
        ("holistic-cam", "deletion", 29),
        ("rise", ("insertion", "deletion"), 449),
        ("poly-cam", ("insertion", "deletion"), 448),
    ],
)
def test_cost_at_224_rows(protocol, games, forwards):
    """The image once, each distinct baseline once, n - 1 points of each game."""

    class Mean(torch.nn.Module):
        def forward(self, images):
            return images.mean((2, 3))

    model = Counting(Mean())
    images = random_images(2, 3, 224, 8)
    RUN(model, images, images[:, 0], 0, protocol=protocol, games=games, chunk=50)
    assert sum(model.batches) == 2 * forwards
    assert model.batches[:-1] == [50] * (2 * forwards // 50) and model.batches[-1] <= 50


def test_three_names_read_one_run():
    model, images, maps, target = setting()
    model = Counting(model)
    both = 3 * len(protocols["holistic-cam"].counts(14, 11)) * 2 - 3
    found = measure(NAMES[:3], model, images, maps, target)
    assert sum(model.batches) == both and list(found) == NAMES[:3]
    for name in NAMES[:3]:
        alone = registry[name](model, images, maps, target)
        assert torch.equal(alone, registry[name].function(model, images, maps, target))
        assert (alone - found[name]).abs().max() < 1e-6
    model.batches.clear()
    measure(["deletion"], model, images, maps, target)
    assert sum(model.batches) == 3 * len(protocols["holistic-cam"].counts(14, 11))


@pytest.mark.parametrize("name", protocols)
def test_batch_equals_singles_in_any_order(name):
    model, images, maps, target = setting(5)
    masks, turn = maps > 0.5, [3, 0, 4, 2, 1]
    options = {"protocol": name, "chunk": 7}
    for ids in (None, list("abcde")):
        together = measure(NAMES, model, images, maps, target, masks=masks, ids=ids, **options)
        turned = measure(
            NAMES,
            model,
            images[turn],
            maps[turn],
            [target[t] for t in turn],
            masks=masks[turn],
            ids=ids and [ids[t] for t in turn],
            **options,
        )
        singles = [
            measure(
                NAMES,
                model,
                images[b : b + 1],
                maps[b : b + 1],
                target[b : b + 1],
                masks=masks[b : b + 1],
                ids=ids and [ids[b]],
                **options,
            )
            for b in range(5)
        ]
        for metric in NAMES:
            assert (turned[metric] - together[metric][turn]).abs().max() < 1e-6
            alone = torch.cat([s[metric] for s in singles])
            assert (alone - together[metric]).abs().max() < 1e-6
            assert together[metric].shape == (5,) and together[metric].dtype == torch.float32


def test_target_none_is_the_top_class_and_rising_functions_change_nothing():
    model, images, maps, _ = setting()
    top = model(images).argmax(1)
    run = RUN(model, images, maps, chunk=5)
    assert torch.equal(run.target, top)
    same = RUN(model, images, maps.exp() * 3 - 7, top, chunk=64)
    assert (run.over_all - same.over_all).abs().max() < 1e-6
    model.requires_grad_(True)
    assert not RUN(model, images, maps).over_all.requires_grad


def test_dtype_of_the_network_decides():
    for dtype, out in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        model, images, maps, target = setting(dtype=dtype)
        run = RUN(model, images, maps.float(), target)
        assert run.insertion.dtype == run.deletion_curve.dtype == run.fraction.dtype == out
        exact = RUN(TinyNet().double(), images.double(), maps.double(), target)
        assert (run.insertion - exact.insertion).abs().max() < 0.02


def test_degenerate_maps_are_recorded():
    model, images, maps, target = setting(5)
    maps[1], maps[2], maps[3, 2, 2], maps[4] = 2.0, 0.0, torch.nan, -maps[4].abs() - 0.1
    masks = torch.zeros(5, 14, 11)
    masks[:, 3:9, 2:7] = 1
    with pytest.raises(ValueError, match="map 3 holds NaN"):
        measure(NAMES, model, images, maps, target, masks=masks)
    found = measure(NAMES, model, images, maps, target, masks=masks, on_nan="record")
    for name in NAMES[:3]:
        assert found[name].isnan().tolist() == [False, False, False, True, False]
    for name in ("epg", "epg-top100"):  # the last map has no positive value
        assert found[name].isnan().tolist() == [False, True, True, True, True]
    assert found["epg-count"].isnan().tolist() == [False, False, False, True, False]
    run = RUN(model, images, maps, target, on_nan="record")
    assert [hc.metrics.DEGENERATE[k] for k in run.degenerate] == ["none", "constant", "zero", "nan", "none"]
    assert run.tie_fraction[1] == run.tie_fraction[2] == run.zero_fraction[2] == 1


def test_protocols_are_frozen_records():
    names = ["rise", "poly-cam", "ucag", "holistic-cam"]
    assert list(protocols) == [*names, *(f"{name}-14" for name in names)]
    points = {name: len(p.counts(224, 224)) for name, p in protocols.items()}
    assert points == {"rise": 225, "poly-cam": 225, "ucag": 29, "holistic-cam": 29} | {f"{k}-14": 15 for k in names}
    for name in names:
        short = replace(protocols[f"{name}-14"], name=name, rows=protocols[name].rows, steps=protocols[name].steps)
        assert short == protocols[name]
    assert protocols["holistic-cam"].counts(224, 224)[1] == 1792
    assert protocols["ucag"].counts(299, 299)[-2:] == [37 * 2392, 299 * 299]  # a short last step
    wide = GaussianBlur(51, 50.0), Zeros(), "trapezoid"
    fields = {
        "rise": (RiseBlur(11, 5.0), Zeros(), "trapezoid", "pred"),
        "poly-cam": (GaussianBlur(11, 5.0), GaussianBlur(11, 5.0), "right", "pred"),
        "ucag": (*wide, "label"),
        "holistic-cam": (*wide, "pred"),
    }
    for name, p in protocols.items():
        assert (p.insertion, p.deletion, p.auc, p.target) == fields[name.removesuffix("-14")] and p.score == "prob"
    assert len({p.id for p in protocols.values()}) == 8
    with pytest.raises(FrozenInstanceError):
        protocols["rise"].rows = 8
    assert replace(protocols["rise"], rows=8).id != protocols["rise"].id


def test_rules_of_integration():
    model, images, maps, target = setting()
    fine, uneven = (replace(protocols["rise"], rows=rows) for rows in (2, 8))  # 7 steps; 8 + 6 rows
    run = RUN(model, images, maps, target, protocol=fine)
    for curve in (run.insertion_curve, run.deletion_curve):
        gap = hc.metrics.area(curve, run.fraction, replace(fine, auc="right")) - hc.metrics.area(
            curve, run.fraction, fine
        )
        assert (gap - (curve[:, -1] - curve[:, 0]) / 14).abs().max() < 1e-6
    run = RUN(model, images, maps, target, protocol=uneven)
    a, b, c = run.insertion_curve.T
    assert run.fraction.tolist() == pytest.approx([0, 8 / 14, 1])
    assert (run.insertion - (8 * (a + b) + 6 * (b + c)) / 28).abs().max() < 1e-6
    equal = hc.metrics.area(run.insertion_curve, run.fraction, replace(uneven, equal_spacing=True))
    assert (equal - (a + 2 * b + c) / 4).abs().max() < 1e-6


def test_other_baselines():
    images = random_images(2, 3, 5, 6)
    assert (hc.metrics.Constant((1, 2, 3))(images)[1, 2] == 3).all()
    assert (hc.metrics.MeanColour()(images)[1, 2] - images[1, 2].mean()).abs().max() < 1e-6
    with pytest.raises(ValueError, match="one number for each of the 3 channels"):
        hc.metrics.Constant((0.5,))(images)
    for wrong, says in (((10, 5.0), "kernel must be an odd"), ((11, 0), "sigma must be a pos")):
        for kind in (GaussianBlur, RiseBlur):
            with pytest.raises(ValueError, match=says):
                kind(*wrong)


def test_registry():
    assert len(registry) == 25 and "metrics" in dir(hc)
    assert {m.name for m in registry.values() if not m.higher_is_better} == LOWER
    assert registry["over-all"].forwards == 57 and registry["epg"].needs == ("masks or boxes",)
    with pytest.raises(UnknownMetricError, match="'over_all'; close names are over-all"):
        registry["over_all"]


def decorated(decorator):
    """{function: file} of the functions below `@decorator` in the folder of metrics, read from the source."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            marks = [ast.unparse(mark).split("(")[0] for mark in getattr(node, "decorator_list", [])]
            if decorator in marks:
                found[node.name] = path.name
    return found


@pytest.mark.parametrize("decorator", ["run", "metric"])
def test_every_metric_is_entered(decorator):
    """`@metric` enters it, if its file is imported; `hc.metrics` names both the metric and its run."""
    for function, file in decorated(decorator).items():
        assert function in hc.metrics.__all__ and hasattr(hc.metrics, function), (
            f"{file} defines {function} with @{decorator}, but hc.metrics does not have it: "
            f"import it in holicam/metrics/__init__.py and add it to __all__ there"
        )
    assert len(decorated("metric")) == len(registry)


def test_every_run_is_read_by_a_metric():
    read = {metric.run.__name__ for metric in registry.values()}
    for function, file in decorated("run").items():
        assert function in read, (
            f"{file} defines the run {function}, which no metric reads: below it, write a function from its record "
            f'to (B,) with @metric("its-name", {function}, higher_is_better=...)'
        )


@pytest.mark.parametrize("name", registry)
def test_an_entry_tells_the_truth(name):
    """What it says it needs is enough, it runs no more than it says, and each need is asked for by name."""
    metric, arguments, given = called_with(name, TinyNet(classes=10))
    model = Counting(arguments[0])
    asked = []
    if "explain" in given:
        own = given["explain"]
        given["explain"] = lambda x, target: asked.append(len(x)) or own(x, target)
    value = metric(model, *arguments[1:], **given)
    assert value.shape == (2,) and value.dtype == torch.float32
    assert sum(model.batches) <= 2 * metric.forwards, f"{name}: say forwards={-(-sum(model.batches) // 2)} in @metric"
    assert sum(asked) == 2 * metric.explanations, f"{name}: say explanations={sum(asked) // 2} in @metric"
    assert metric.forwards == 0 or model.batches, f"{name} runs no network: leave forwards= out of @metric"
    for option in set(given) - {"ids"}:
        with pytest.raises(ValueError, match=f"{option}="):
            metric(*arguments, **{key: value for key, value in given.items() if key != option})


def test_two_metrics_of_one_name_are_refused():
    with pytest.raises(ValueError, match="there is a metric 'epg' already"):
        hc.metrics.metric("epg", hc.metrics.energy_pointing, higher_is_better=True)


def test_what_a_metric_is_called_with():
    """The whole call for all; what a function does not name is accepted and does nothing."""
    shared = "model images maps target masks boxes recipes explain ids protocol chunk on_nan".split()
    for metric in registry.values():
        for function in (metric.run, metric.function):
            assert list(inspect.signature(function).parameters)[:12] == shared
    maps = torch.rand(2, 8, 8)
    plain = hc.metrics.epg(None, None, maps, masks=maps > 0.5)
    assert torch.equal(
        plain, hc.metrics.epg("no", None, maps, "thing", masks=maps > 0.5, recipes=3, explain=4, chunk=0)
    )
    for function in (hc.metrics.epg, hc.metrics.energy_pointing):
        with pytest.raises(TypeError, match="energy_pointing: got an unexpected keyword argument 'tolerance'"):
            function(None, None, maps, masks=maps > 0.5, tolerance=1)
    model, images, maps, target = setting()
    with pytest.raises(ValueError, match="deletion is not in this run: an option has left it out"):
        measure(["deletion", "over-all"], model, images, maps, target, games="insertion")


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"protocol": "polycam"}, UnknownProtocolError, "close names are poly-cam"),
        ({"protocol": 3}, TypeError, "a name or a Protocol"),
        ({"protocol": "ucag", "target": None}, ValueError, "'ucag' scores the labelled class"),
        ({"maps": torch.rand(3, 7, 7)}, ValueError, r"expected \(3, 14, 11\), got \(3, 7, 7\)"),
        ({"maps": torch.rand(2, 14, 11)}, ValueError, "one map of the images' size per image"),
        ({"games": "insert"}, ValueError, "games must be one of"),
        ({"games": ()}, ValueError, "games must be one of"),
        ({"chunk": 0}, ValueError, "chunk must be a positive number"),
        ({"ids": ["a"]}, ValueError, "expected 3, got 1"),
        ({"target": 9}, ValueError, r"target must lie in 0\.\.4"),
    ],
)
def test_errors(change, kind, says):
    model, images, maps, target = setting()
    call = {"maps": maps, "target": target, **change}
    with pytest.raises(kind, match=says):
        RUN(model, images, **call)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"rows": 1, "steps": 2},
        {"rows": 0},
        {"steps": 2.5},
        {"rows": 1, "auc": "simpson"},
        {"rows": 1, "tie": "none"},
    ],
)
def test_protocols_refuse_nonsense(fields):
    with pytest.raises(ValueError, match="rows or steps|must be one of"):
        Protocol("mine", Zeros(), Zeros(), **fields)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: hc.metrics.area([0, 1], [0, 1]),
        lambda: hc.metrics.area(torch.ones(1, 3), torch.ones(2)),
        lambda: hc.metrics.impute([1], torch.ones(1, 1, 1, dtype=torch.bool)),
        lambda: hc.metrics.centre([[1]]),
    ],
)
def test_small_tools_name_what_they_need(ask):
    with pytest.raises(ValueError, match="must be a tensor"):
        ask()
