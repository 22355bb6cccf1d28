"""The command line: `holicam COMMAND`, or `python -m holicam COMMAND`, which is the same."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from .models.extras import extra

try:
    with extra("The command line"):
        import typer
        from typer.core import TyperGroup
except ImportError as error:  # this file is a program: a sentence and an exit status, no traceback
    sys.exit(f"Error: {error}")

from .experiments import cli as evaluate_cli
from .experiments.said import said, tell
from .methods.registry import explainers

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")


class Commands(TyperGroup):
    """All commands: their arguments put in order, and one sentence for what goes wrong in any of them."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))

    def invoke(self, ctx):
        with said():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands, help="Class-activation maps: learn, check and use them.", no_args_is_help=True, add_completion=False
)
DEVICE = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, ...; default: cuda where there is one.")]


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error happened (or HOLICAM_DEBUG=1).")] = False,
) -> None:
    """Class-activation maps: learn, check and use them."""
    if debug:
        os.environ["HOLICAM_DEBUG"] = "1"
    if sys.stderr is None:  # closed, as services do it: `print` would take stdout in its place, and others fail
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a photograph's name may hold any letter


for command in (evaluate_cli.evaluate, evaluate_cli.merge, evaluate_cli.report):
    app.command()(command)


def _bar(items, total: int, start: int = 0, quiet: bool | None = False):
    """A progress bar on stderr; `start` steps of `total` lie behind. quiet: None where stderr is no terminal."""
    from tqdm import tqdm

    return tqdm(items, total=total, initial=start, unit="step", smoothing=0.05, disable=quiet)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="A toy network that `load_model` knows, such as toy-vgg16_bn.")],
    out: Annotated[Path | None, typer.Option(help="Where weights and card go; default: the data folder.")] = None,
    device: DEVICE = "",
) -> None:
    """Train a toy network, then write its weights and its card. A stopped run goes on where it stopped."""
    from .models import data_folder
    from .models.card import card
    from .models.files import prepare_folder
    from .models.training import TRAININGS, save
    from .models.training import train as run

    where = _device(device)
    if name not in TRAININGS:
        raise typer.BadParameter(
            f"There is no training for {name!r}; there is one for {', '.join(TRAININGS)}.", param_hint="NAME"
        )
    with _wrong("--out"):  # before hours of training, not after
        prepare_folder(out or data_folder())
    model = run(name, where, _bar)
    written = card(name, model)
    path = save(name, model, written, out)
    typer.echo(f"{path}: {written['measured'].get('accuracy', written['measured'])}")


@app.command(epilog=f"The names for --explainer: {', '.join(name for name in explainers if name != 'ground-truth')}.")
def explain(
    photos: Annotated[list[Path], typer.Argument(help="JPEG, PNG and other pictures.")],
    model: Annotated[str, typer.Option(help="toy-resnet50, resnet50, vgg16_bn:IMAGENET1K_V1, swin_t ...")] = "resnet50",
    explainer: Annotated[
        list[str] | None,
        typer.Option(
            help="A method by name, see below, or by place, FILE:CLASS; several of them make a contact sheet, too; "
            "default: holistic-cam."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Of the explainer; default: fast where it has one, else its default.")
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="One or more layers; default: the last, or the explainer's own where it joins several."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Class name, part of one, or number; default: top-1.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for overlays (png) and raw maps (safetensors).")] = Path("maps"),
    size: Annotated[
        int | None,
        typer.Option(
            min=32, max=4096, help="Pixels of the shorter side that the network sees; default: what it was trained for."
        ),
    ] = None,
    reshape: Annotated[
        str | None,
        typer.Option(
            help="How a transformer's layers lie, where one forward pass does not "
            "show: channels-last, tokens, tokens:SKIP, tokens:SKIP:HxW."
        ),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(help="Code of your own, FILE.py or a module, which is imported and run; repeatable."),
    ] = None,
    device: DEVICE = "",
) -> None:
    """Explain photographs: print the five likeliest classes, write pictures and raw maps.

    A result is two files, .png and .safetensors, named after what they depend
    on: OUT/STEM.NETWORK.EXPLAINER.LAYERS.CLASS, without LAYERS where the
    explainer has its own, without CLASS where --target names none. The same
    command replaces its own result. Any other of that name, of another --size
    or of a photograph in another folder, gets ~ and a number. No photograph
    is ever written over.

    A photograph that fails is named with the reason, and the rest goes on.
    Exit status: 0 all done, 1 some failed, 2 wrong usage, nothing done, 130
    stopped by Ctrl-C, finished results kept. Networks that take images of one
    size only see the square in the middle of a photograph.
    """
    from .core.own_code import look_in
    from .experiments.explain_photos import Explained, each_ready
    from .experiments.photo_run import explain_photos
    from .experiments.said import in_options
    from .models.files import prepare_folder

    where = _device(device)
    with _wrong("--load"):
        for code in load or []:
            look_in(code)
    with _wrong():
        names = [*dict.fromkeys(explainer or ["holistic-cam"])]
        ready = each_ready(model, names, layers, target, preset=preset, size=size, reshape=reshape, device=where)
    with _wrong("--out"):
        prepare_folder(out)
    bar, done = _bar(photos, len(photos), quiet=None), set()

    def report(one: Explained) -> None:
        guesses = ", ".join(f"{name} {100 * p:.1f} %" for name, p in one.top)
        again = " (replaced)" if one.replaced else ""
        first = "" if one.photo in done else f"{guesses}; "
        done.add(one.photo)
        bar.write(f"{one.photo}: {first}{one.target} explained in {one.written[1]}{again}")

    def complain(words: str) -> None:
        bar.write(f"skipped: {in_options(words)}", file=sys.stderr)

    def remark(words: str) -> None:
        bar.write(f"note: {in_options(words)}", file=sys.stderr)

    try:
        tally, sheets = explain_photos(ready, bar, out, report, complain, remark, inputs=photos)
    except KeyboardInterrupt:
        bar.close()
        tell(f"Stopped: {len(done)} of {len(photos)} photographs are done, and their results are kept in {out}.")
        raise typer.Exit(130) from None
    bar.close()
    for file in sheets:
        typer.echo(f"contact sheet: {file}")
    typer.echo(f"{tally}; results are in {out}")
    raise typer.Exit(0 if tally.done == len(photos) else 1)


@app.command("info")
def show_info(
    names: Annotated[list[str] | None, typer.Argument(help="Explainers, metrics, data sets; default: all.")] = None,
    load: Annotated[list[str] | None, typer.Option(help="Code of your own, FILE.py or a module; repeatable.")] = None,
) -> None:
    """List what there is by name, or say what is known of some; --load lists your own code, after checking it."""
    from .core.own_code import look_in
    from .experiments.listing import all_names, of_module, of_name

    with _wrong():
        for code in load or []:
            look_in(code)
        own = [line for code in load or [] for line in of_module(Path(code).stem if code.endswith(".py") else code)]
        lines = [*own, *map(of_name, names or [])] or [*all_names()]
    for line in lines:
        typer.echo(line)


def _device(given: str):
    from .core.device import find_device

    with _wrong("--device"):
        return find_device(given, "--device")


@contextlib.contextmanager
def _wrong(option: str | None = None) -> Iterator[None]:
    """Exit status 2 and a sentence for a name or an option that is wrong."""
    from .experiments.said import deliberate, in_options

    try:
        yield
    except (ValueError, LookupError, OSError) as error:
        if not deliberate(error):
            raise
        raise typer.BadParameter(in_options(str(error)), param_hint=option) from None


SPREAD = ("--layers", "--explainer")  # options that take several words


def spread(arguments: list[str]) -> list[str]:
    """Arguments in the one order and form that the option parser reads.

    `--layers a b` becomes `--layers a --layers b`, and so does --explainer; a word behind it that looks like a picture
    (by its ending, a folder before it, or as a file that is there) is a photograph. `--debug` may stand anywhere.
    """
    out: list[str] = []
    option, waits = "", False  # the option whose words these may be, and whether its first must follow
    for at, word in enumerate(arguments):
        if word == "--":
            return _debug_first(out) + arguments[at:]
        if word.startswith("-") and word != "-":
            name, given, _ = word.partition("=")
            option, waits = (name, not given) if name in SPREAD else ("", False)
            out.append(word)
        elif option and not waits and not _picture(word):
            out += [option, word]
        else:
            option, waits = (option, False) if waits else ("", False)
            out.append(word)
    return _debug_first(out)


def _picture(word: str) -> bool:
    there = word not in explainers and os.path.isfile(word)  # whatever its ending; False for too long a name
    return there or word.lower().endswith(PICTURES) or any(mark in word for mark in (os.sep, os.altsep) if mark)


def _debug_first(arguments: list[str]) -> list[str]:
    return ["--debug"] * ("--debug" in arguments) + [word for word in arguments if word != "--debug"]


if __name__ == "__main__":
    app(prog_name="python -m holicam")
