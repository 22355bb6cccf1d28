"""Measure hc.stages on every network that anybody can build here: python -m tools.stages [NAME ...]

It writes data/measured/stages.json, for the networks named or those that are not in there: the stages of a network with
random weights, and how much of the difference between the logits of two images is left when one image's stage is put
into the other's pass, in float64.
`python -m tools.pages stages` makes the page of it. The whole takes about a quarter of an hour on one core.
"""

import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from holicam.core.replaced import replaced
from holicam.models.stages import stages
from tools.ipynb import ROOT

FILE = ROOT / "data" / "measured" / "stages.json"
SMALL = 64  # pixels a side, for the passes in float64
# One network of each family of timm's that torchvision lacks, or builds differently, small where there is a choice.
TIMM = """
    tf_efficientnet_lite0 mobilenetv3_small_050 mobilenetv4_conv_small mnasnet_small tinynet_e hardcorenas_a
    ghostnet_050 rexnet_100 resnet26 resnetv2_50 res2net50d resnest14d legacy_seresnet18 skresnet18 ecaresnet26t
    tresnet_m gernet_s resnet50_clip nf_regnet_b0 regnety_002 densenet121 dla46_c dpn48b hrnet_w18_small
    inception_v4 xception41 vgg11 cspresnet50 darknet17 selecsls42 ese_vovnet19b_dw repvgg_a0 mobileone_s0
    hgnetv2_b0 starnet_s1 repvit_m0_9 fastvit_t8 convnext_atto convnextv2_atto inception_next_tiny poolformer_s12
    efficientformer_l1 edgenext_xx_small mobilevit_xxs efficientvit_b0 focalnet_tiny_srf pvt_v2_b0 davit_tiny
    nextvit_small coatnet_pico_rw_224 maxvit_pico_rw_256 visformer_tiny swin_tiny_patch4_window7_224
    swinv2_cr_tiny_ns_224 levit_128s mixer_s32_224 vit_tiny_patch16_224
""".split()


@cache
def names() -> tuple[str, ...]:
    """Torchvision's classification networks, then timm's as "timm:NAME"."""
    return (*torchvision.models.list_models(module=torchvision.models), *(f"timm:{name}" for name in TIMM))


def build(name: str) -> nn.Module:
    """A network with random weights, the same each time, in eval mode.

    Batch norms have seen noise, or signals would die out on the way. Branches that a fresh network multiplies by
    next to nothing (LayerScale, the last batch norm of a block) are opened, or it would not show who goes round.
    """
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(0)
        if name.startswith("timm:"):
            model = timm.create_model(name.removeprefix("timm:"), num_classes=10).eval()
        else:
            more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
            model = torchvision.models.get_model(name, weights=None, num_classes=10, **more).eval()
        for key, parameter in model.named_parameters():
            if not key.endswith("bias") and parameter.squeeze().dim() == 1 and parameter.abs().max() < 1e-3:
                parameter.fill_(1)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        before = [norm.momentum for norm in norms]
        for norm in norms:
            norm.train().momentum = 1.0
        if norms:
            on_small(model, noise(size_of(name, model)))
        for norm, momentum in zip(norms, before, strict=True):
            norm.eval().momentum = momentum
    return model


def noise(size: tuple[int, int]) -> Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))


def on_small(ask: Callable[[Tensor], Any], images: Tensor) -> Any:
    """What `ask` says of a corner of the images, to save time; of the whole, of a network made for one size."""
    try:
        return ask(images[..., :SMALL, :SMALL])
    except (RuntimeError, AssertionError):
        return ask(images)


def size_of(name: str, model: nn.Module) -> tuple[int, int]:
    """The images a network is made for, (H, W): as its weights' or its own settings say."""
    if name.startswith("timm:"):
        return tuple(model.pretrained_cfg["input_size"][1:])
    sides = []
    for weights in torchvision.models.get_model_weights(name):
        usual = inspect.signature(weights.transforms).parameters["crop_size"].default
        sides.append(weights.transforms.keywords.get("crop_size", usual))
    side = min(sides)  # some have weights for larger images besides
    return side, side


def left(model: nn.Module, layers: Sequence[str], images: Tensor) -> dict[str, float]:
    """What is left of the difference between two images' logits when a layer holds the second's: 0 to about 1.

    images: (2, C, H, W) in the network's own dtype. Raises ValueError where their logits hardly differ.
    """
    seen: dict[str, Tensor] = {}

    def keep(layer: str, output: Tensor) -> Tensor:
        seen[layer] = output.clone()
        return output

    with torch.no_grad():
        first = model(images[:1].clone())
        with ExitStack() as kept:
            for layer in layers:
                kept.enter_context(replaced(model, layer, partial(keep, layer)))
            second = model(images[1:].clone())
        apart = (second - first).norm()
        if not apart > 1e-6 * second.norm():
            raise ValueError(f"the logits of two images are the same to {float(apart):.1e}, so they tell nothing")
        remains = {}
        for layer in layers:
            with replaced(model, layer, lambda output, layer=layer: seen[layer].clone()):
                remains[layer] = float((second - model(images[:1].clone())).norm() / apart)
    return remains


def measured(name: str) -> dict:
    """A row of the table."""
    model, began = build(name), time.perf_counter()
    size = size_of(name, model)
    images = noise(size)
    try:
        found = stages(model, images, all=True)
    except ValueError as error:
        return {"network": name, "size": list(size), "said": str(error)}
    seconds, few = time.perf_counter() - began, stages(model, images)
    model.double()
    remains = on_small(lambda few: left(model, found, few), images.double())
    rows = [
        {
            "name": stage.name,
            "grid": list(stage.grid),
            "channels": stage.channels,
            "signed": stage.signed,
            "channels_last": stage.channels_last,
            "stem": stage.name not in few,
            "left": remains[stage.name],
        }
        for stage in found.rows
    ]
    return {"network": name, "size": list(size), "seconds": round(seconds, 2), "stages": rows}


def read() -> list[dict]:
    """The rows that are stored."""
    return json.loads(FILE.read_text())["rows"]


def write(stored: Mapping[str, dict]) -> None:
    about = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    lines = ",\n".join("  " + json.dumps(stored[name]) for name in names() if name in stored)
    FILE.write_text(f'{{"made with": {json.dumps(about)},\n "rows": [\n{lines}\n]}}\n')


def main(wanted: list[str]) -> None:
    stored = {row["network"]: row for row in read()} if FILE.exists() else {}
    for name in wanted or [name for name in names() if name not in stored]:
        stored[name] = measured(name)
        write(stored)
        said = [f"{stage['name']} {stage['left']:.0e}" for stage in stored[name].get("stages", ())]
        print(name, *said, stored[name].get("said", ""), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
