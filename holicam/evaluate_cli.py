"""The commands `evaluate`, `merge` and `report` of the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from .network import forward
from .outputs import class_logits
from .said import said

CONFIG = Annotated[str, typer.Argument(help="A TOML file, or a preset such as holistic-cam-table6.")]
OUT = Annotated[Path, typer.Option(help="Folder of the parts; default: results/NAME.")]
TOYLAND = Annotated[bool, typer.Option("--toyland", help="A preset on Toyland and its networks, laptop-sized.")]
LOAD = Annotated[list[str] | None, typer.Option(help="A network of your own: NAME=module:function; repeatable.")]
IMAGES = Annotated[int, typer.Option(min=0, help="How many images; 0: what the configuration says.")]


def evaluate(
    config: CONFIG,
    out: OUT = Path(),
    toyland: TOYLAND = False,
    images: IMAGES = 0,
    root: Annotated[Path | None, typer.Option(help="Where the data set lies, for presets on real data.")] = None,
    load: LOAD = None,
    shard: Annotated[str, typer.Option(help="rank/processes; default: from torchrun or a Slurm array.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; default: this rank's GPU where there is one.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and what it costs; run nothing.")] = False,
) -> None:
    """Evaluate explainers. A stopped run goes on where it stopped; several processes share the work."""
    from tqdm import tqdm

    from . import evaluate as runner

    with said():
        plan = runner.Plan.of(config_of(config, toyland, images, root, load))
        out = folder(out, config)
        part = tuple(int(n) for n in shard.split("/")) if shard else runner.shard()
        mine = runner.mine(plan.units, *part)
        if dry_run:
            typer.echo(estimate(plan, mine, device or runner.device()))
            return
        ready = [unit for unit in mine if runner.part_path(out, unit.name).exists()]
        total = sum(map(plan.cost, mine))
        with tqdm(total=round(total), initial=round(sum(map(plan.cost, ready))), unit="F", unit_scale=True) as bar:
            finished = len(ready)

            def progress(unit, cost, seconds):
                nonlocal finished
                finished += 1
                bar.set_postfix_str(f"{finished} of {len(mine)} units", refresh=False)
                bar.update(round(cost))

            done = runner.evaluate(plan, out, part=part, on=device or None, progress=progress)
        typer.echo(f"{out}: {done} units run, {len(ready)} were there; `python -m holicam merge {config} --out {out}` "
                   "joins them")  # fmt: skip


def merge(config: CONFIG, out: OUT = Path(), toyland: TOYLAND = False, images: IMAGES = 0,
          root: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
          load: LOAD = None) -> None:
    """Join the parts into rows.parquet, after checking that every row is there exactly once."""
    from . import evaluate as runner
    from .parts import merge as join

    with said():
        plan = runner.Plan.of(config_of(config, toyland, images, root, load))
        table = join(folder(out, config), plan.keys())
        typer.echo(f"{folder(out, config) / 'rows.parquet'}: {table.num_rows} rows")


def report(out: Annotated[Path, typer.Argument(help="The folder of a merged run.")]) -> None:
    """Tables of a merged run: report.md, report.html and report.tex, ours beside the published numbers."""
    from .report import write

    with said():
        for path in write(out):
            typer.echo(str(path))


def config_of(name: str, toyland: bool, images: int, root: Path | None, load: list[str] | None = None):
    """The configuration that a file or a preset's name stands for."""
    from dataclasses import replace

    from .plan import from_toml
    from .presets import preset

    config = from_toml(Path(name)) if name.endswith(".toml") else preset(name, toyland=toyland, root=root)
    if load:
        if any("=" not in entry for entry in load):
            raise ValueError(f"--load must be NAME=module:function; got {', '.join(load)}")
        config = replace(config, loaders={**config.loaders, **dict(entry.split("=", 1) for entry in load)})
    if images and config.dataset["name"] == "toyland":
        return replace(config, dataset={**config.dataset, "n": images})
    return replace(config, n=images) if images else config


def folder(out: Path, config: str) -> Path:
    """Where the parts go."""
    return out if out != Path() else Path("results") / Path(config).stem


def estimate(plan, units, where: str) -> str:
    """What would run, and how long it would take at the speed of a short calibration."""
    lines = [f"{len(plan.dataset)} images of {plan.dataset.name}, {len(units)} of {len(plan.units)} units, "
             f"{sum(1 for _ in plan.keys())} rows"]  # fmt: skip
    seconds = 0.0
    first = next((item.image for item in plan.dataset if hasattr(item, "image")), None)
    if first is None:
        raise ValueError(f"none of the images of {plan.dataset.name} can be read")
    for network in plan.config.networks:
        model = plan.load(network).to(where)
        images = first[None].to(where).expand(8, -1, -1, -1).contiguous()
        count, began = 0, time.perf_counter()
        with torch.no_grad():
            while count == 0 or time.perf_counter() - began < 2:
                float(class_logits(forward(model, images), len(images)).sum())
                count += len(images)
        speed = count / (time.perf_counter() - began)
        cost = sum(plan.cost(unit) for unit in units if unit.network == network)
        seconds += cost / speed
        lines.append(f"{network}: {cost:.3g} F at {speed:.3g} F/s on {where}: {cost / speed / 3600:.2g} hours")
    return "\n".join([*lines, f"together {seconds / 3600:.2g} hours for this process"])
