"""The commands `evaluate`, `merge` and `report` of the command line."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from ..core.network import forward
from ..core.outputs import class_logits
from ..models.called import called
from .asked import check_asked, config_of, expected, folder_of, is_run, loaded
from .config import ConfigError
from .said import said, tell

CODE = "A configuration may name code of your own, module:name, which is then run."
CONFIG = Annotated[
    str,
    typer.Argument(
        help=f"A TOML file, a preset such as holistic-cam-table6, or the folder of a run that is to go on. {CODE}"
    ),
]
OUT = Annotated[Path | None, typer.Option(help="Folder of the parts; default: results/NAME.")]
TOYLAND = Annotated[bool, typer.Option("--toyland", help="A preset on Toyland and its networks, laptop-sized.")]
LOAD = Annotated[
    list[str] | None,
    typer.Option(
        help="Code of your own, FILE.py or a module, for names such as FILE:MyCAM; or NAME=module:function, a network. "
        "It is imported and run; repeatable."
    ),
]
IMAGES = Annotated[int, typer.Option(min=0, help="How many images; 0: what the configuration says.")]


def evaluate(
    config: CONFIG,
    out: OUT = None,
    toyland: TOYLAND = False,
    images: IMAGES = 0,
    root: Annotated[Path | None, typer.Option(help="Where the data set lies, for presets on real data.")] = None,
    load: LOAD = None,
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            "--batch",
            min=0,
            help="The largest model batch; 0: what the configuration says. It "
            "changes no value: out of memory, go on with less.",
        ),
    ] = 0,
    shard: Annotated[str, typer.Option(help="rank/processes; default: from torchrun or a Slurm array.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; default: this rank's GPU where there is one.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and what it costs; run nothing.")] = False,
) -> None:
    """Evaluate explainers. A stopped run goes on where it stopped; several processes share the work.

    What fails is named, recorded and passed over; the exit status is then 1, and the next run tries it again.
    """
    from ..core.device import find_device
    from . import run as runner
    from .failures import FailedError, summary
    from .joining import counted
    from .plan import Plan
    from .shown import Shown
    from .workers import parse_shard

    with said():
        part = parse_shard(shard) if shard else runner.shard()
        where = find_device(device or runner.device(), "--device")
        folder, chosen = folder_of(config, out), config_of(config, toyland, images, root, load, batch_size)
        plan = Plan.of(chosen)
        if dry_run:
            typer.echo(estimate(plan, runner.mine(plan.units, *part), where))
            return
        watch, failed, began = Shown(plan.dataset, plan.cost, chosen.pairs), (), time.time()
        try:
            runner.evaluate(plan, folder, part=part, on=where, watch=watch)
        except FailedError as error:
            failed = error.failures
        finally:
            watch.close()
        typer.echo(
            f"{folder}: {watch.done} units run, {watch.there} were there; "
            f"{counted(watch.images, watch.skipped, chosen.pairs)}"
        )
        if failed:
            for line in summary(failed):
                tell(f"Failed: {line}")
            tell(
                f"Error: {len(failed)} times an explainer failed on an image, see {folder / 'failures'}; the rest is "
                f"there. `{called('evaluate', folder)}` tries again what failed"
            )
            wait_for_others(folder, began)
            raise typer.Exit(1)
        if part[1] == 1 and watch.skipped and len(watch.skipped) == len(watch.images):
            raise ValueError(f"none of the {len(watch.images)} images could be read")
        typer.echo(f"`{called('merge', folder)}` joins the parts")


def merge(
    config: Annotated[str, typer.Argument(help="The folder of a run; or its configuration, which is then compared.")],
    out: OUT = None,
    toyland: TOYLAND = False,
    images: IMAGES = 0,
    root: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    load: LOAD = None,
    partial: Annotated[bool, typer.Option("--partial", help="Leave out the rows of what failed.")] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="First move files that are damaged, of another run or there twice into the folder `aside`."
        ),
    ] = False,
) -> None:
    """Join the parts into rows.parquet, after checking that every row is there exactly once and of this run."""
    from .joining import counted, skipped_in
    from .manifest import read_manifest
    from .storage import merge as join

    with said():
        check_asked(config, toyland, root)
        folder = folder_of(config, out)
        loaded(load or [])
        if not is_run(folder) and not config.endswith(".toml"):
            config_of(config, toyland, images, root, load)  # a name that is wrong is said to be wrong
        manifest = read_manifest(folder)
        asked = config.endswith(".toml") or toyland or images or root or load
        chosen = config_of(config, toyland, images, root, load) if asked and not is_run(Path(config)) else None
        table = join(folder, expected(folder, manifest, chosen), partial=partial, repair=repair, say=tell)
        pairs = bool(manifest["config"].get("pairs"))
        typer.echo(
            f"{folder / 'rows.parquet'}: {table.num_rows} rows; "
            f"{counted(table['image'].unique().to_pylist(), skipped_in(table), pairs)}"
        )
        typer.echo(f"`{called('report', folder)}` makes tables of them")


def report(
    out: Annotated[Path, typer.Argument(help="The folder of a merged run.")],
    maps: Annotated[
        int, typer.Option(min=0, help="Example maps of so many images, made again; 0: none.", show_default=True)
    ] = 2,
    load: LOAD = None,
) -> None:
    """A merged run as one HTML page that stands alone; the same numbers as Markdown, LaTeX and CSV."""
    from .report import write

    with said():
        networks, _ = loaded(load or [])
        if networks:
            raise ConfigError(
                f"--load {next(iter(networks))}=… gives a network to a run, and a report shows those that the run had: "
                "name files of code only"
            )
        for path in write(out, typer.echo, maps):
            typer.echo(str(path))


def wait_for_others(folder: Path, began: float, every: float = 2.0) -> None:
    """Under torchrun, which ends all processes when one of them fails: wait until each unit has a part or a record.

    A record of before `began`, a time of this run's start, is tried again by whose it is.
    """
    from .failures import record_path
    from .manifest import read_manifest, units_of_run
    from .run import part_path

    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    for unit in units_of_run(read_manifest(folder), folder):
        while not _settled(part_path(folder, unit.name), record_path(folder, unit.name), began):
            time.sleep(every)


def _settled(part: Path, record: Path, began: float) -> bool:
    try:
        return record.stat().st_mtime >= began - 1  # a file system's clock may be coarse
    except FileNotFoundError:
        return part.exists()


def estimate(plan, units, where: str) -> str:
    """What would run, and how long it would take at the speed of a short calibration."""
    lines = [
        f"{len(plan.dataset)} images of {plan.dataset.name}, {len(units)} of {len(plan.units)} units, "
        f"{sum(1 for _ in plan.keys())} rows"
    ]
    seconds = 0.0
    first = next((item.image for item in plan.dataset if hasattr(item, "image")), None)
    if first is None:
        data, reason = plan.dataset, next(item.reason for item in plan.dataset)
        raise ValueError(f"none of the {len(data)} images of {data.name} can be read, the first: {reason}")
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
