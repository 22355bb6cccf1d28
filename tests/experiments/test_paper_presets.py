"""The papers' tables can be planned on the papers' networks: every layer that a run would read is there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torchvision.models import get_model

from holicam.experiments import plan as planning
from holicam.experiments.paper_tables import NAMES, preset
from holicam.experiments.plan import Plan
from holicam.models import find_layers


@cache
def network(name: str) -> torch.nn.Module:
    """With random weights: a plan asks for layers, not for answers."""
    more = {} if name.startswith(("resnet", "densenet")) else {"init_weights": False}
    return get_model(name, weights=None, **more).eval()


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_can_be_planned_with_its_own_networks(name, monkeypatch):
    monkeypatch.setattr(planning, "loader", lambda own: network)
    config = preset(name, root="/a/folder")
    assert config.networks and not {"toy-resnet50", "toy-vgg16_bn"} & set(config.networks)
    # Two images in the place of thousands that cannot be shipped; their labels are no classes of these networks.
    here = {"name": "toyland", "n": 2, "size": 224}
    plan = Plan.of(replace(config, dataset=here, n=0, pairs=False, target="top-1"))
    assert set(plan.layers) == set(config.networks) and all(plan.layers.values())
    for label, explainer in plan.config.made.items():
        for used in config.networks:
            model = network(used)
            if explainer.takes == "layer":
                assert set(plan.layers_of(label, used)) <= set(plan.layers[used])
            elif explainer.takes == "joint":
                find_layers(model, explainer.layers_of(model))
    assert len(list(plan.keys())) >= 2 * len(config.networks) * len(config.metrics) * len(config.explainers)
    assert sum(plan.cost(unit) for unit in plan.units) > 0


def test_the_presets_name_inception():
    """It was the network that had no default layers."""
    used = [name for name in NAMES if "inception_v3" in preset(name, root="/a/folder").networks]
    assert used == ["ucag-table1", "ucag-table5"]
