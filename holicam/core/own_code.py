"""Code of one's own by its place: "my_file:MyCAM" is what is called MyCAM in my_file.py.

Configurations, the command line and `hc.explain` take such a place where they take a name. my_file.py is looked for
in the folders that were named to `look_in` (a configuration's own, those of --load), then in the current folder. What
lies in none of them is imported as Python finds it, so an installed package is a place too.

Whoever names a place has its code run: a configuration with places is a program.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .places import is_place

LONGEST = 300  # letters of what somebody else's code says

_folders: list[Path] = []
_imported: set[Path] = set()  # the files of one's own modules


class OwnCodeError(ValueError):
    """A place that is not there, cannot be imported, or holds something else; the message says what would be right."""


def look_in(said: str | Path) -> None:
    """From now on look in this folder, in the folder of this FILE.py, or import this installed module.

    Raises OwnCodeError: there is none of them, or the file cannot be imported.
    """
    path = Path(said)
    if path.suffix == ".py":
        if not path.is_file():
            raise OwnCodeError(f"{said} is not there: name a file of Python code, such as my_file.py")
        _remember(path.parent)
        imported(path.stem)
    elif path.is_dir():
        _remember(path)
    else:
        imported(str(said))


def _remember(folder: Path) -> None:
    whole = folder.resolve()
    if whole not in _folders:
        _folders.append(whole)


def folders() -> list[Path]:
    """Where files are looked for, in this order."""
    here = Path.cwd().resolve()
    return [*(folder for folder in _folders if folder != here), here]


def find(place: str, wanted: str) -> Any:
    """What lies at a place. wanted: what it should be, for messages, such as "an explainer".

    Raises OwnCodeError.
    """
    if not is_place(place):
        raise OwnCodeError(f'{wanted} of your own is named "module:name", such as "my_file:MyCAM"; got {place!r}')
    module, _, name = place.partition(":")
    if module.endswith(".py"):
        raise OwnCodeError(f"{place} names a file: write {module.removesuffix('.py')}:{name}, without .py")
    home = imported(module)
    if not hasattr(home, name):
        names = [known for known in vars(home) if not known.startswith("_")]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        said = f"close names are {', '.join(close)}" if close else f"define {wanted} of that name there"
        raise OwnCodeError(f"{place}: {_home(home, module)} has no {name}; {said}")
    return getattr(home, name)


def imported(module: str) -> ModuleType:
    """A module of one's own. Raises OwnCodeError."""
    file = _file(module)
    if file is not None:
        folder = str(file.parents[module.count(".") + (file.name == "__init__.py")])
        if folder not in sys.path:  # at the end: nothing that is installed is hidden
            sys.path.append(folder)
        importlib.invalidate_caches()
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise OwnCodeError(_missing(module, file, str(error.name))) from None
    except (Exception, SystemExit) as error:  # it is not our code
        raise OwnCodeError(f"{file or module} cannot be imported ({brief(error)})") from error
    there = getattr(found, "__file__", None)
    if file is not None and (there is None or Path(there).resolve() != file):
        raise OwnCodeError(
            f"{file} and {there or 'a module of Python'} are both called {module}, and Python knows the other one: "
            "give yours a name that nothing else has"
        )
    if there is not None:
        _imported.add(Path(there))
    return found


def _missing(module: str, file: Path | None, name: str) -> str:
    if file is not None or not f"{module}.".startswith(f"{name}."):
        return f"{file or module} needs the module {name}, which is not there: install it, or put it beside the file"
    looked = ", ".join(map(str, folders()))
    return (
        f"{module}.py was not found: looked in {looked}, and among the installed packages. Put it beside the "
        "configuration or name it with --load FILE.py"
    )


def _file(module: str) -> Path | None:
    """The file of a module in one of the folders."""
    inside = Path(*module.split("."))
    for folder in folders():
        for file in (folder / inside.with_suffix(".py"), folder / inside / "__init__.py"):
            if file.is_file():
                return file.resolve()
    return None


def _home(home: ModuleType, module: str) -> str:
    return getattr(home, "__file__", None) or module


def kind_of(found: object) -> str:
    """ "the class MyCAM" or "a str": what lies at a place, for a message."""
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"


def brief(error: BaseException) -> str:
    """What somebody else's code says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST].removesuffix(": ")


def own_line(error: BaseException) -> str:
    """ "my_file.py, line 8": the last line of one's own code that an error came through, "" where there is none."""
    at, found = error.__traceback__, ""
    while at is not None:
        file = Path(at.tb_frame.f_code.co_filename)
        if file in _imported:
            found = f"{file.name}, line {at.tb_lineno}"
        at = at.tb_next
    return found
