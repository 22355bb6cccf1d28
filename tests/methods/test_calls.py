"""One call for all explainers: what is refused is refused by all of them, in the same sentence."""

from __future__ import annotations

import ast
import copy
import doctest
import importlib
import inspect
import pickle
import pkgutil
import sys
from dataclasses import fields, is_dataclass

import pytest
import torch

import holicam as hc
import holicam.methods
from holicam.core import own_code, places
from holicam.core.explainer import Explainer
from holicam.core.stages import Stages
from holicam.methods import table
from tests.helpers.explainers import GUESTS, explainer, layers, network
from tests.helpers.explainers import images as some_images
from tests.helpers.nets import TinyNet, random_images

every = pytest.mark.parametrize("name", hc.explainers)
NET, IMAGES = TinyNet(), random_images(1, 3, 12, 10)


def refused(error, call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@every
def test_stages_of_one_that_has_none(name):
    kind = hc.explainers[name]
    if not kind.has_stages:
        said = refused(ValueError, lambda: kind()(NET, IMAGES, layers(name), intermediate=True))
        assert said == f"{kind.__name__} has no stages to show: leave out intermediate"


@every
def test_layers_of_one_that_reads_none(name):
    kind = hc.explainers[name]
    if kind.takes == "input":
        said = refused(ValueError, lambda: kind()(NET, IMAGES, ["relu1"]))
        assert said == f"{kind.__name__} explains the image itself and reads no layer: leave out layers=['relu1']"


@every
@pytest.mark.parametrize("size", ["big", 7, (0, 3), (3, 4, 5), (2.5, 3)])
def test_a_wrong_size(name, size):
    said = refused(ValueError, lambda: hc.explainers[name]()(NET, IMAGES, layers(name), size=size))
    assert said == f'size must be None, "native" or (H, W); got {size!r}'


@every
def test_what_is_no_layer_and_no_layer_at_all(name):
    kind = hc.explainers[name]
    if kind.takes != "input":
        said = refused(TypeError, lambda: kind()(NET, IMAGES, [3]))
        assert said.startswith(
            "layers must be the name of a layer, a module of the network, or several of these; got 3"
        )
        assert refused(ValueError, lambda: kind()(NET, IMAGES, [])).startswith("`layers` must name at least one layer")


@every
def test_what_is_no_network_and_no_images(name):
    ready = hc.explainers[name]()
    said = refused(TypeError, lambda: ready(len, IMAGES))
    assert said == "model must be a torch.nn.Module; got builtin_function_or_method"
    said = refused(TypeError, lambda: ready(NET, IMAGES.byte()))
    assert said == "images must be a tensor of normalised floats (B, 3, H, W); got torch.uint8"


@every
def test_a_class_given_for_an_explainer(name):
    kind = hc.explainers[name]
    called = kind.__name__
    end = f"; {called} is a class: give an explainer, such as {called}()"
    assert (
        refused(TypeError, lambda: hc.explain(NET, IMAGES, kind)) == f"explainer must be an explainer or its name{end}"
    )
    assert refused(TypeError, lambda: hc.explain_many([kind], NET, IMAGES)).endswith(end)
    said = refused(TypeError, lambda: kind(NET, IMAGES))
    assert said == f"{called} is made without a network, and called with it: {called}()(model, images)"


@every
def test_settings_go_by_name(name):
    kind = hc.explainers[name]
    first = [f.name for f in fields(kind) if not f.kw_only]
    said = refused(TypeError, lambda: kind(*[None] * len(first), "paper"))
    assert said.startswith(f"{kind.__name__} takes its settings by name") and said.endswith("; got 'paper'")
    said = refused(TypeError, lambda: kind(presett="paper"))
    assert said.startswith(f"{kind.__name__} has no setting 'presett'; close names are ")
    assert len(first) <= 1, "only what an explainer is about may be given without its name"


@every
def test_a_wrong_value_is_told_by_the_kind_of_field(name):
    kind = hc.explainers[name]
    for one in fields(kind):
        value = getattr(kind(), one.name)
        if isinstance(value, bool) and one.name not in ("clip", "skip_mismatched"):
            said = refused(TypeError, lambda name=one.name: kind(**{name: 1}))
            assert said == f"{one.name} must be True or False; got 1"
        if one.name == "score":
            assert refused(ValueError, lambda: kind(score="loss")).startswith("score must be one of 'logit', 'prob'")
        if one.name == "preset":
            assert refused(ValueError, lambda: kind(preset="none")).startswith("preset must be one of ")


@every
def test_presets_set_fields_that_exist_and_given_fields_win(name):
    kind = hc.explainers[name]
    known, usual = {f.name: f for f in fields(kind)}, kind()
    assert bool(kind.presets) == ("preset" in known)
    for preset, changes in kind.presets.items():
        assert set(changes) <= set(known), f"{preset} of {kind.__name__} sets a field that it has not"
        ready = kind(preset=preset)
        for field in known.keys() - {"preset"}:
            assert getattr(ready, field) == changes.get(field, getattr(usual, field))
            spelled = kind(preset=preset, **{field: getattr(usual, field)})
            assert getattr(spelled, field) == getattr(usual, field)


@every
def test_stages_are_one_type(name):
    kind = hc.explainers[name]
    if not kind.has_stages:
        return
    net, x, ready = network(), some_images(), explainer(name)
    plain, stages = ready(net, x, layers(name), 1), ready(net, x, layers(name), 1, intermediate=True)
    assert isinstance(stages, Stages) and torch.equal(stages.map, plain) and torch.equal(stages["map"], plain)
    assert list(stages) and "map" not in list(stages) and repr(stages).startswith("Stages(map: (2, 24, 40), ")
    small = ready(net, x, layers(name), 1, size=(6, 5), intermediate=True)
    assert torch.equal(small.map, ready(net, x, layers(name), 1, size=(6, 5)))
    if kind.takes == "layer":
        found = ready(net, x, ["relu1", "relu2"], 1, intermediate=True)
        assert list(found) == ["relu1", "relu2"] and all(isinstance(one, Stages) for one in found.values())
    again = pickle.loads(pickle.dumps(stages))
    assert torch.equal(again.map, plain) and list(again) == list(stages) == list(copy.copy(stages))
    with pytest.raises(AttributeError, match="there is no stage 'mapp'; there are map, "):
        stages.mapp  # noqa: B018


@every
def test_explain_is_the_call(name):
    net, x, ready = network(name=name), some_images(), explainer(name)
    for given in (name, ready) if not fields(ready) else (ready,):
        found = hc.explain(net, x, given, layers(name), 1, size=(5, 6))
        assert torch.equal(found, ready(net, x, layers(name), 1, size=(5, 6)))


def test_what_a_reader_sees_of_a_class():
    """The settings, each with its default; of an explainer, how it is called."""
    said = str(inspect.signature(hc.GradCAM)).replace("'", "")
    assert said == "(*, relu: bool = True, score: Score = logit) -> None"
    assert list(inspect.signature(hc.GradCAM()).parameters) == [
        *("model", "images", "layers", "target"),
        *("size", "reshape", "intermediate"),
    ]


def test_one_that_a_reader_derives():
    class Mine(hc.GradCAMpp):
        """With the settings of its parent."""

    assert Mine(preset="paper", eps=0.5).eps == 0.5 and Mine(preset="paper").eps == 0
    assert Mine() == copy.copy(Mine()) and "_given" not in vars(Mine(eps=1)) and "_given" not in vars(copy.copy(Mine()))


def test_explain_takes_names_and_lists_close_ones():
    assert torch.equal(hc.explain(NET, IMAGES, "grad-cam", "relu1"), hc.GradCAM()(NET, IMAGES, "relu1"))
    assert list(hc.explain(NET, IMAGES, "grad-cam", layers=["relu1"], target=2)) == ["relu1"]
    with pytest.raises(KeyError, match="there is no explainer 'gradcam'; close names are grad-cam"):
        hc.explain(NET, IMAGES, "gradcam")
    with pytest.raises(TypeError, match="explainer must be an explainer or its name; 3 is none"):
        hc.explain(NET, IMAGES, 3)


# What is entered ----------------------------------------------------------------------------------


def written() -> dict[str, type]:
    """Every explainer that a file of methods defines, by the class's name."""
    found = {}
    for module in pkgutil.walk_packages(holicam.methods.__path__, "holicam.methods."):
        for name, kind in vars(importlib.import_module(module.name)).items():
            own = inspect.isclass(kind) and issubclass(kind, Explainer) and kind.__module__ == module.name
            base = kind is hc.WeightedCAM or name.startswith("_")  # what subclasses share
            if own and is_dataclass(kind) and not base:
                found[name] = kind
    return found


def test_every_explainer_is_entered_and_every_entry_is_one():
    entered = {row.kind: row for row in table.ROWS}
    for name, kind in written().items():
        where = kind.__module__.removeprefix("holicam.methods.")
        assert name in entered, (
            f'{name} is not in the table: add Info("its-name", "{where}:{name}", forwards, backwards, needs, paper) to '
            "its family in holicam/methods/table.py; hc.explainers, hc.info and hc." + name + " follow from that"
        )
        assert entered[name].file == where, f'{name} lives in {where}: write "{where}:{name}" in the table'
        assert getattr(hc, name) is kind is hc.explainers[entered[name].name]
    assert set(entered) == set(written()), "a row of holicam/methods/table.py names a class that is not there"
    assert len({row.name for row in table.ROWS}) == len({row.kind for row in table.ROWS}) == len(table.ROWS)


@every
def test_an_entry_is_whole(name):
    row, kind = hc.info(name), hc.explainers[name]
    assert row.family and row.needs and row.paper and row.forwards >= 0 and row.backwards >= 0, f"{row} lacks a word"
    assert issubclass(kind, Explainer) and kind.takes in ("layer", "joint", "input")
    text = inspect.getdoc(kind)
    built = "Built in chapter" in " ".join(text.split()) or name in GUESTS
    assert built, f"{kind.__name__} does not say where it is built"
    said = text.partition("Args:\n")[2].partition("\nExample:")[0]
    for one in fields(kind):
        assert f"\n    {one.name}: " in "\n" + said, f"the docstring of {kind.__name__} has no line for {one.name}"


def test_the_table_needs_no_torch():
    """Nor anything but the standard library: neither the table nor the files that tell a place and find it."""
    for module, others in ((table, {"core.places"}), (own_code, {"places"}), (places, set())):
        tree = ast.parse(inspect.getsource(module))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
        assert imported - others <= sys.stdlib_module_names | {"collections.abc"}


@every
def test_the_example_runs(name):
    kind = hc.explainers[name]
    (found,) = (t for t in doctest.DocTestFinder(recurse=False).find(kind, kind.__name__, globs={}))
    assert found.examples, f"the docstring of {kind.__name__} has no example"
    said: list[str] = []
    assert not doctest.DocTestRunner().run(found, out=said.append).failed, "".join(said)


def test_the_examples_of_functions_run():
    for function in (hc.explain, hc.info, hc.settings.identity):
        globs = vars(inspect.getmodule(function)).copy()
        (found,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs=globs)
        said: list[str] = []
        assert found.examples and not doctest.DocTestRunner().run(found, out=said.append).failed, "".join(said)
