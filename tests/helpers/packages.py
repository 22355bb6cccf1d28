"""What a list of requirements brings, by the metadata of what is installed here, and a folder with that and no more.

No index is asked: a version that satisfies a requirement is the one that is installed here.
"""

import csv
import re
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PathDistribution, distribution, distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.ipynb import ROOT

OWN = "holicam"


def declared() -> list[str]:
    """What pyproject.toml says that the package needs, as its metadata will say it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    return project["dependencies"] + [f'{need}; extra == "{name}"' for name, needs in extras for need in needs]


def in_wheel(wheel: Path) -> list[str]:
    """What a wheel's metadata says that it needs."""
    folder = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    return PathDistribution(zipfile.Path(wheel, folder.removesuffix("METADATA"))).requires or []


def wanted(lines: Iterable[str]) -> list[str]:
    """Requirements from what a command or a file names: our wheel, or a folder with our repository, is holicam."""
    return [re.sub(r"^(?:\./.*?|\{book\}|holicam[\w-]*)\[", f"{OWN}[", line) for line in lines]


def brought(wanted: Iterable[str], own: list[str]) -> dict[str, Distribution]:
    """The packages that an installer would bring for `wanted`, {name: distribution}, without holicam.

    own: what holicam needs. Raises PackageNotFoundError where one is not here, ValueError where another version is.
    """
    waiting, seen, found = [Requirement(one) for one in wanted], set(), {}
    while waiting:
        need = waiting.pop()
        name, needs = canonicalize_name(need.name), own
        if name != OWN:
            found[name] = distribution(name)
            needs = found[name].requires or []
            if not need.specifier.contains(found[name].version, prereleases=True):
                raise ValueError(f"{need} is wanted, and {found[name].version} is here.")
        for extra in {"", *need.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            each = [Requirement(line) for line in needs]
            waiting += [one for one in each if one.marker is None or one.marker.evaluate({"extra": extra})]
    return found


@cache
def files(one: Distribution) -> list[PurePosixPath]:
    """A package's files by its own record, relative to site-packages; `one.files` asks the disk for each."""
    return [PurePosixPath(row[0]) for row in csv.reader((one.read_text("RECORD") or "").splitlines())]


@cache
def owners() -> dict[str, set[str]]:
    """{a name at the top of site-packages: the packages that have files there}."""
    found = defaultdict(set)
    for one in distributions():
        for top in {file.parts[0] for file in files(one)}:
            found[top].add(canonicalize_name(one.metadata["Name"]))
    return found


def link(packages: dict[str, Distribution], own: Path) -> None:
    """Put links to the files of `packages` into the folder `own`; of a folder that others share, to the files alone."""
    for one in packages.values():
        tops = {file.parts[0] for file in files(one)} - {"..", "__pycache__"}  # programs; copies that Python makes
        whole = {top for top in tops if owners()[top] <= packages.keys()}
        alone = {file for file in files(one) if file.parts[0] in tops - whole}
        for place in whole | alone:
            target = own / place
            if not target.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(one.locate_file(place))
