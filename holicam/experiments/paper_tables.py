"""The tables of the three papers as configurations: on the papers' data, or small on Toyland.

Explainers carry the papers' names as labels, with the variant behind it, so that a report finds the
published value (data/published). What Toyland lacks or makes smaller is said in `notes`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .config import Config, ConfigError

TWINS = {"resnet50": "toy-resnet50", "vgg16_bn": "toy-vgg16_bn", "vgg16": "toy-vgg16_bn"}
# What a laptop cannot afford: {explainer: fields that make it smaller}.
SMALLER = {
    "rise": {"masks": 300},
    "ss-cam": {"samples": 2},
    "is-cam": {"samples": 3},
    "smoothgrad": {"samples": 20},
    "occlusion": {"window": 32, "stride": 8},
    "extremal-perturbation": {"steps": 60},
    "integrated-gradients": {"steps": 20},
}
SCORES = ("insertion", "deletion", "over-all")


def _labelled(pairs: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"name": name, "label": label} for label, name in pairs.items()]


_HOLISTIC = {
    "Grad-CAM": "grad-cam",
    "Grad-CAM++": "grad-cam++",
    "XGrad-CAM": "xgrad-cam",
    "Layer-CAM": "layer-cam",
    "Eigen-CAM": "eigen-cam",
    "Relevance-CAM": "relevance-cam",
    "CAMERAS": "cameras",
    "Holistic-CAM": "holistic-cam",
}
_POLY = {
    "GradCAM": "grad-cam",
    "GradCAM++": "grad-cam++",
    "SmoothGradCAM++": "smooth-grad-cam++",
    "ScoreCAM": "score-cam",
    "SSCAM": "ss-cam",
    "ISCAM": "is-cam",
    "ZoomCAM": "zoom-cam",
    "LayerCAM": "layer-cam-fused",
    "PCAM+": "pcam+",
    "PCAM-": "pcam-",
    "PCAM+/-": "pcam+-",
}
_INPUT = {
    "InputXGrad": "input-x-gradient",
    "IntegratedGradient": "integrated-gradients",
    "SmoothGrad": "smoothgrad",
    "RISE": "rise",
    "Occlusion": "occlusion",
}
_LAYERS = {
    "resnet50": ("Layer1", "Layer2", "Layer3", "Layer4"),
    "vgg16_bn": ("Layer13", "Layer23", "Layer33", "Layer43"),
}
_TWO = {"resnet50": ("Layer2", "Layer4"), "vgg16_bn": ("Layer23", "Layer43")}
_IMAGENET = {"name": "imagenet"}
_VOC = {"dataset": {"name": "voc2007"}, "pairs": True}  # one map for each class in an image


def _ablation(fields: Sequence[tuple[str, Mapping[str, object]]]) -> list[dict[str, object]]:
    return [{"name": "holistic-cam", "label": f"Holistic-CAM {said}", **values} for said, values in fields]


def _grid() -> list[dict[str, object]]:
    sizes = (31, 51, 71, 91, 111, 131)
    return _ablation([(f"ksize={k};blurSize={b}", {"mean": k, "median": b}) for k in sizes for b in sizes])


def _around(pairs: Mapping[str, str]) -> list[dict[str, object]]:
    """Each method as it is and with UCAG around it."""
    alone = _labelled({f"{label} original": name for label, name in pairs.items()})
    return alone + [{"name": "ucag", "base": name, "label": f"{label} ucag"} for label, name in pairs.items()]


def _depths(layers: Sequence[str]) -> list[dict[str, object]]:
    """Poly-CAM from each depth up, and each layer alone."""
    depth = [
        {"name": name, "label": f"{label} {layer}", "layers": list(layers[i:])}
        for label, name in (("PCAM+", "pcam+"), ("PCAM-", "pcam-"), ("PCAM+/-", "pcam+-"))
        for i, layer in enumerate(layers)
    ]
    return depth + _labelled({"CAM+": "cam+", "CAM-": "cam-", "CAM+/-": "cam+-"})


_BLOCKS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
_CONVS = ("conv1_1", "conv2_3", "conv3_4", "conv4_6", "conv5_3")
_CAMS = {"GCAM": "grad-cam", "GCAM++": "grad-cam++", "WGCAM": "w-grad-cam"}
_PROPAGATION = {
    "LRP": "lrp",
    "c*LRP": "c-lrp",
    "SGLRP": "sglrp",
    "FullGrad": "fullgrad",
    "RAP": "rap",
    "RSP": "rsp",
    "AGF": "agf",
}
_POINTING = {
    "Center": "center",
    "Gradient": "gradient",
    "DeConv": "deconvnet",
    "Guid": "guided-backprop",
    "MWP": "mwp",
    "cMWP": "c-mwp",
    "RISE": "rise",
    "GradCAM": "grad-cam",
    "Extremal": "extremal-perturbation",
    "NormGrad": "normgrad",
    "CAMERAS": "cameras",
}


def _config(networks: Sequence[str], explainers: list, n: int, **more: object) -> Config:
    return Config(
        dataset=more.pop("dataset", _IMAGENET), networks=tuple(networks), explainers=tuple(explainers), n=n, **more
    )


_RESNET_VGG = ("resnet50", "vgg16_bn")
_TABLES = {
    "holistic-cam-table1": (
        _RESNET_VGG,
        lambda: _labelled(_HOLISTIC),
        3000,
        {"layers": _TWO, "metrics": (*SCORES, "road", "epg")},
    ),
    "holistic-cam-table2": (
        ("resnet50",),
        lambda: _ablation([(f"PGE={p};FSD={f}", {"pge": bool(p), "fsd": bool(f)}) for p in (0, 1) for f in (0, 1)]),
        2000,
        {"layers": _TWO, "metrics": (*SCORES, "epg")},
    ),
    "holistic-cam-table6": (
        _RESNET_VGG,
        lambda: _labelled({**_HOLISTIC, "IAA": "iia"}),
        3000,
        {"layers": _LAYERS, "metrics": (*SCORES, "road", "epg")},
    ),
    "holistic-cam-appendix1": (
        ("resnet50",),
        lambda: _ablation(
            [(f"median={b};mean={q}", {"median": 51 * b, "mean": 91 * q}) for b in (0, 1) for q in (0, 1)]
        ),
        2000,
        {"layers": _TWO, "metrics": (*SCORES, "epg")},
    ),
    **{
        f"holistic-cam-appendix{i}": (
            ("resnet50",),
            _grid,
            2000,
            {"layers": (layer,), "metrics": ("over-all",) if i < 4 else ("epg",)},
        )
        for i, layer in ((2, "Layer4"), (3, "Layer2"), (4, "Layer4"), (5, "Layer2"))
    },
    "poly-cam-table1": (
        ("vgg16", "resnet50"),
        lambda: _labelled(_POLY),
        2000,
        {"layers": {"vgg16": ("block5_conv3",), "resnet50": ("conv5_3",)}},
    ),
    "poly-cam-table2": (("vgg16",), lambda: _depths(_BLOCKS), 2000, {"layers": _BLOCKS}),
    "poly-cam-table3": (("resnet50",), lambda: _depths(_CONVS), 2000, {"layers": _CONVS}),
    "poly-cam-table4": (
        ("vgg16", "resnet50"),
        lambda: _labelled({**_INPUT, **_POLY}),
        2000,
        {"layers": {"vgg16": ("block5_conv3",), "resnet50": ("conv5_3",)}},
    ),
    "poly-cam-table5": (
        ("vgg16", "resnet50"),
        lambda: _labelled({**_INPUT, **_POLY}),
        2000,
        {"layers": {"vgg16": ("block5_conv3",), "resnet50": ("conv5_3",)}, "metrics": ("sensitivity-max",)},
    ),
    "ucag-table1": (
        ("resnet50", "densenet121", "inception_v3"),
        lambda: _around(_CAMS),
        0,
        {"metrics": ("insertion", "deletion")},
    ),
    "ucag-table2": (
        ("vgg16", "resnet50"),
        lambda: [
            *_labelled({f"{k} original": v for k, v in _POINTING.items()}),
            {"name": "ucag", "label": "GradCAM+UCAG ucag"},
        ],
        0,
        {**_VOC, "metrics": ("pointing-game",)},
    ),
    "ucag-table3": (
        ("vgg16", "resnet50"),
        lambda: _around({**_CAMS, "XGCAM": "xgrad-cam"}),
        0,
        {**_VOC, "metrics": ("epg",)},
    ),
    "ucag-table4": (
        ("vgg19", "resnet50"),
        lambda: _around(_PROPAGATION),
        0,
        {"dataset": {"name": "imagenet-segmentation"}, "metrics": ("map", "segmentation-accuracy"), "target": "top-1"},
    ),  # it has masks and no classes
    "ucag-table5": (
        ("resnet50", "densenet121", "inception_v3"),
        lambda: [*_labelled({"GradCAM": "grad-cam", "CAMERAS": "cameras"}), {"name": "ucag", "label": "GradCAM+UCAG"}],
        0,
        {"metrics": ("map-density+", "map-density-")},
    ),
}
for _name in ("ucag-table2", "ucag-table3"):  # printed for both data sets
    _networks, _made, _n, _more = _TABLES[_name]
    _TABLES[f"{_name}-coco"] = _networks, _made, _n, {**_more, "dataset": {"name": "coco2014"}}
NAMES = tuple(_TABLES)


def preset(name: str, *, toyland: bool = False, root: Path | None = None) -> Config:
    """The configuration of a published table.

    toyland: on Toyland and its networks, small enough for a laptop. root: where the data set lies.
    Raises ConfigError with close names, or where `root` is needed and missing.
    """
    if name not in _TABLES:
        close = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.3)
        raise ConfigError(
            f"there is no preset {name!r}; close names are {', '.join(close or NAMES)}; a configuration "
            "of your own is a file that ends in .toml"
        )
    networks, explainers, n, more = _TABLES[name]
    paper = "label" if name.startswith("ucag") else "top-1"
    protocol = name.partition("-table")[0].partition("-appendix")[0]
    if not toyland and root is None:
        kind = more.get("dataset", _IMAGENET)["name"]
        raise ConfigError(f"{name} needs the data set {kind}: give the folder where it lies with --root, or --toyland")
    config = _config(networks, explainers(), n, **{"target": paper, "protocol": protocol, "table": name, **more})
    return small(config) if toyland else replace(config, dataset={**config.dataset, "root": str(root)})


def small(config: Config, n: int = 8, size: int = 112) -> Config:
    """The same table on Toyland: twins of the networks, fewer images, fewer masks, all noted."""
    notes = [f"Toyland: images of {size} px"]
    networks = [network for network in config.networks if network in TWINS]
    notes += [f"{network}: no toy network" for network in config.networks if network not in TWINS]
    notes += [f"{network}: {TWINS[network]}" for network in networks]
    if not networks:
        raise ConfigError(f"no toy network for {', '.join(config.networks)}")
    explainers = []
    for entry in config.explainers:
        less = SMALLER.get(entry.name, {})
        kernels = {"scale_kernels": True} if entry.name == "holistic-cam" else {}
        explainers.append(replace(entry, fields={**entry.fields, **less, **kernels}))
        if less:
            notes.append(f"{entry.label}: {', '.join(f'{k} = {v}' for k, v in less.items())}")
    layers = config.layers
    if isinstance(layers, Mapping):
        layers = {TWINS[network]: layers[network] for network in networks if network in layers}
    subset = "scene" if config.dataset["name"] in ("voc2007", "coco2014", "imagenet-segmentation") else "single"
    return replace(
        config,
        pairs=False,
        dataset={"name": "toyland", "n": n, "size": size, "subset": subset},
        n=0,
        networks=tuple(TWINS[network] for network in networks),
        explainers=tuple(explainers),
        layers=layers,
        notes=tuple(notes),
        images_per_unit=4,
    )
