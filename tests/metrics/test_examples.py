"""Every public function of the metrics and sanity checks shows how it is called, and the example is true."""

import doctest
import inspect

import pytest
import torch

from holicam import metrics
from holicam.metrics import correlation, draws, energy, sanity

OTHERS = [correlation.spearman, draws.keys, draws.uniform, draws.normal, energy.boxes_to_masks, metrics.Protocol]
SCORES = {id(metric.function) for metric in metrics.registry.values()}  # their run has the example
MAKERS = {"run", "metric"}  # decorators: every metric of this folder is their example
FUNCTIONS = {
    f"{module.__name__}.{name}": thing
    for module in (metrics, sanity)
    for name in module.__all__
    if inspect.isfunction(thing := getattr(module, name)) and id(thing) not in SCORES and name not in MAKERS
} | {f"{thing.__module__}.{thing.__name__}": thing for thing in OTHERS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example(name):
    torch.manual_seed(0)
    text = inspect.getdoc(FUNCTIONS[name])
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert example.examples, f"{name} has no example: show one call with `>>>` at the end of its docstring"
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_has_its_own_line(name):
    """Of those that a metric reads; what it only accepts is said once, in `Run`."""
    thing = FUNCTIONS[name]
    text = inspect.getdoc(thing)
    for argument in inspect.signature(inspect.unwrap(thing)).parameters:
        assert f"\n    {argument}: " in text, f"{name}: say under `Args:` what {argument} is"
