"""The command line: `python -m holicam COMMAND`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import evaluate_cli

app = typer.Typer(help="Class-activation maps: learn, check and use them.", no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Class-activation maps: learn, check and use them."""


for command in (evaluate_cli.evaluate, evaluate_cli.merge, evaluate_cli.report):
    app.command()(command)


def _bar(items, total: int, start: int = 0):
    """A progress bar on stderr; `start` steps of `total` lie behind."""
    from tqdm import tqdm

    return tqdm(items, total=total, initial=start, unit="step", smoothing=0.05)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="A toy network that `load_model` knows, such as toy-vgg16_bn.")],
    out: Annotated[Path | None, typer.Option(help="Where weights and card go; default: the data folder.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; default: cuda where there is one.")] = "",
) -> None:
    """Train a toy network, then write its weights and its card. A stopped run goes on where it stopped."""
    from .card import card
    from .train import save
    from .train import train as run

    try:
        model = run(name, _device(device), _bar)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None
    written = card(name, model)
    path = save(name, model, written, out)
    typer.echo(f"{path}: {written['measured'].get('accuracy', written['measured'])}")


@app.command()
def explain(
    photos: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, before the options.")],
    model: Annotated[str, typer.Option(help="toy-resnet50, resnet50, vgg16_bn:IMAGENET1K_V1, ...")] = "resnet50",
    explainer: Annotated[str, typer.Option(help="A name of holicam.explainers.")] = "holistic-cam",
    layers: Annotated[list[str] | None, typer.Option(help="One or more layers; default: the last.")] = None,
    target: Annotated[str | None, typer.Option(help="Class name, part of one, or number; default: top-1.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for overlays (png) and raw maps (safetensors).")] = Path("maps"),
    size: Annotated[int, typer.Option(min=32, help="Pixels of the shorter side the network sees.")] = 224,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; default: cuda where there is one.")] = "",
) -> None:
    """Explain photographs: print the five likeliest classes, write overlays and raw maps.

    A file that cannot be read is named and skipped; the exit status is then 1.
    """
    from .explain_photos import Explained, PhotoExplainer, explain_photos

    try:
        ready = PhotoExplainer(model, explainer, layers, target, size=size, device=_device(device))
    except (ValueError, LookupError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    bar = _bar(photos, len(photos))

    def report(done: Explained) -> None:
        guesses = ", ".join(f"{name} {100 * p:.1f} %" for name, p in done.top)
        bar.write(f"{done.photo}: {guesses}; {done.target} explained in {done.written[1]}")

    failed = explain_photos(ready, bar, out, report, lambda sentence: bar.write(f"skipped: {sentence}"))
    raise typer.Exit(1 if failed else 0)


def _device(given: str) -> str:
    import torch

    return given or ("cuda" if torch.cuda.is_available() else "cpu")


def spread(arguments: list[str]) -> list[str]:
    """`--layers a b` written as `--layers a --layers b`, the only form the option parser reads."""
    out: list[str] = []
    within = False
    for word in arguments:
        if word.startswith("-"):
            within = word == "--layers"
            out += [] if within else [word]
        else:
            out += ["--layers", word] if within else [word]
    return out


if __name__ == "__main__":
    app(spread(sys.argv[1:]), prog_name="python -m holicam")
