"""The command line: `python -m holicam COMMAND`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Class-activation maps: learn, check and use them.", no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Class-activation maps: learn, check and use them."""


def _bar(items, total: int, start: int = 0):
    """A progress bar on stderr; `start` steps of `total` lie behind."""
    from tqdm import tqdm

    return tqdm(items, total=total, initial=start, unit="step", smoothing=0.05)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="toy-resnet50, toy-vgg16_bn or toy-resnet50-shortcut.")],
    out: Annotated[Path | None, typer.Option(help="Where weights and card go; default: the data folder.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; default: cuda where there is one.")] = "",
) -> None:
    """Train a toy network, then write its weights and its card. A stopped run goes on where it stopped."""
    import torch

    from .card import card
    from .train import save
    from .train import train as run

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = run(name, device, _bar)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None
    written = card(name, model)
    path = save(name, model, written, out)
    typer.echo(f"{path}: {written['measured']['accuracy']}")


if __name__ == "__main__":
    app()
