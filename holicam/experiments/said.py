"""What goes wrong, in one sentence: for every command, and for every photograph of `explain`."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import typer

from ..core.memory import no_memory
from ..core.own_code import own_line

HERE = Path(__file__).resolve().parents[1]
LONGEST = 300  # letters of a message that was not written for a user
TYPER = (typer.Exit, typer.Abort, typer.BadParameter.__mro__[2])  # with `ClickException`, which says itself what it is
STOPPED = "Stopped. What was finished is kept, and the same command goes on from there."


def debug() -> bool:
    """Whether tracebacks are wanted: `--debug`, or HOLICAM_DEBUG set to anything but nothing and 0."""
    return os.environ.get("HOLICAM_DEBUG", "") not in ("", "0")


def tell(words: str) -> None:
    """One line on stderr."""
    print(words, file=sys.stderr, flush=True)


@contextlib.contextmanager
def said() -> Iterator[None]:
    """One sentence and exit status 1 for whatever goes wrong inside, 130 for Ctrl-C."""
    try:
        yield
    except (*TYPER, BrokenPipeError):
        raise  # typer has its own way with these
    except KeyboardInterrupt:
        tell(STOPPED)
        raise typer.Exit(130) from None
    except (Exception, SystemExit) as error:  # one's own code may call sys.exit, and holicam does not
        tell(f"Error: {sentence(error)}")
        raise typer.Exit(1) from None


def sentence(error: BaseException, *, plain: bool = False) -> str:
    """What happened, on one line. plain: without a request for a report where it was not foreseen.

    With `debug()` the traceback is printed before it.
    """
    if debug():
        traceback.print_exception(error)
    name, words = type(error).__name__, printable(str(error))
    if no_memory(error):
        return "there is not enough memory for this: ask for less at a time, for smaller images, or for --device cpu."
    if isinstance(error, OSError) and error.strerror:
        names = [str(file) for file in (error.filename, error.filename2) if file is not None]
        return printable(": ".join([*names, error.strerror]))
    if isinstance(error, ImportError) and error.name and not error.name.startswith("holicam"):
        return f"the package {error.name} is missing: install it, for example with pip install {error.name}."
    if deliberate(error):
        return words
    if where := own_line(error):
        return f"{f'{name}: {words[:LONGEST]}' if words else name} ({where}, which is code of your own)"
    words = f"{name}: {words[:LONGEST]}" if words else name
    return words if plain else f"{words} (this was not foreseen: please report it with what --debug shows)"


IN_PYTHON = {
    "name layers, for example": "name layers with --layers, for example",
    "reshape=hc.capture.tokens_to_grid()": "--reshape tokens",
    "with layers=[...]": "with --layers",
    "`layers=`": "--layers",
    "layers=[...]": "--layers",
    "reshape=tokens_to_grid()": "--reshape tokens",
    "reshape=": "--reshape",
}


def in_options(words: str) -> str:
    """A message of the module, which speaks of arguments, in the words of the command line."""
    for said, meant in IN_PYTHON.items():
        words = words.replace(said, meant)
    return printable(words)


def printable(words: str) -> str:
    """On one line, without letters that steer a terminal or that no encoding knows."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(words.split()))


def deliberate(error: BaseException) -> bool:
    """True where a file of holicam raised it in so many words, which then speak to the user."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None:
        return True
    file = Path(at.tb_frame.f_code.co_filename)
    line = linecache.getline(str(file), at.tb_lineno).strip()
    return file.is_relative_to(HERE) and (line.startswith("raise") or not line)
