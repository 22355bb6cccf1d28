"""The tests of the rooms and the chapters under other instruction sets and thread counts, one factor at a time.

    python -m tools.portable                      every setting that this processor has, against its own default
    python -m tools.portable --subset             two foreign settings, the runner's tests, a fragile chapter
    python -m tools.portable --settings threads=2 --parts book

A result is written as soon as a unit is done (the rooms' tests, or one chapter) to _build/portable/; a unit whose
result is there and whose code has not changed since is not run again. Settings that the processor lacks are
listed, never forced, and so is the one that it takes by itself. Ends with a table and exit status 1 where something
failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from tools.digest import digest, parts
from tools.ipynb import BOOK, ROOT, code_cells, read, run_of, source, tags

OUT = ROOT / "_build" / "portable"
LEVELS = ("DEFAULT", "AVX2", "AVX512")  # as torch names what a processor has
# Setting -> the variables it sets, and the level it needs. One factor differs from "default" in each.
SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "default": ({}, "DEFAULT"),
    "ONEDNN_MAX_CPU_ISA=SSE41": ({"ONEDNN_MAX_CPU_ISA": "SSE41"}, "DEFAULT"),
    "ONEDNN_MAX_CPU_ISA=AVX2": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, "AVX2"),
    "ONEDNN_MAX_CPU_ISA=AVX512_CORE": ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, "AVX512"),
    "ATEN_CPU_CAPABILITY=default": ({"ATEN_CPU_CAPABILITY": "default"}, "DEFAULT"),
    "ATEN_CPU_CAPABILITY=avx2": ({"ATEN_CPU_CAPABILITY": "avx2"}, "AVX2"),
    "ATEN_CPU_CAPABILITY=avx512": ({"ATEN_CPU_CAPABILITY": "avx512"}, "AVX512"),
    "threads=2": ({"OMP_NUM_THREADS": "2", "HOLICAM_THREADS": "2"}, "DEFAULT"),
}
ALONE = {"OMP_NUM_THREADS": "1", "HOLICAM_THREADS": "1"}
# What `make test` runs: the two settings furthest from a modern processor's own, or those that there are.
FOREIGN = ("ONEDNN_MAX_CPU_ISA=SSE41", "ATEN_CPU_CAPABILITY=default", "threads=2")
RUNNER = ("tests/experiments/test_run.py", "tests/experiments/test_runner_options.py", "tests/core/test_floats.py")
FRAGILE = ("16",)
# Tests of processes, and the dearest one: their numbers are tested beside them.
LEFT_OUT = "not kills and not torchrun and not folder_that_cannot and not asked_once"
# Tests of pages, slides, hand-outs and tools: they read what chapters and rooms have computed, and compute nothing.
OF_TEXTS = ("tests/book", "tests/tools")
SEEN = ("holicam", "tests", "data", "benchmarks")  # folders that the tests of the rooms read


@dataclass(frozen=True)
class Result:
    """What a unit gave: how many tests or cells passed, the names of those that failed, seconds, and of which code."""

    passed: int
    failed: tuple[str, ...]
    seconds: float
    digest: str


def missing(name: str, level: str, machine: str) -> bool:
    """Whether a processor of that level and kind cannot run a setting."""
    foreign = name.startswith("ONEDNN") and machine.lower() not in ("x86_64", "amd64")
    return foreign or LEVELS.index(SETTINGS[name][1]) > (LEVELS.index(level) if level in LEVELS else 0)


def own(level: str) -> str:
    """The setting that changes nothing, since it names what torch takes here by itself."""
    return f"ATEN_CPU_CAPABILITY={level.lower()}"


def processor() -> tuple[str, str]:
    """The level that torch finds when nothing is forced, and the kind of machine."""
    env = {k: v for k, v in os.environ.items() if k not in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")}
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return said.stdout.split()[-1].upper(), platform.machine()


def environment(setting: str) -> dict[str, str]:
    """What a unit runs with: this process's environment, one thread, and the setting's one difference."""
    env = {k: v for k, v in os.environ.items() if k not in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")}
    return {**env, "PYTHONPATH": str(ROOT), **ALONE, **SETTINGS[setting][0]}


def code_digest() -> str:
    """Of every file that the tests of the rooms may read."""
    texts = [ROOT / folder for folder in OF_TEXTS]
    files = [path for folder in SEEN for path in sorted((ROOT / folder).rglob("*"))]
    files = [path for path in files if not any(folder in path.parents for folder in texts)]
    found = hashlib.sha256()
    for path in [*files, *sorted(ROOT.glob("*.*"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(str(path.relative_to(ROOT)).encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def book_digests(chapters: Iterable[Path]) -> dict[str, str]:
    """{"01-...": digest} of a chapter's code and outputs, of the code it loads, and of how texts are compared."""
    rules = b"".join((ROOT / name).read_bytes() for name in ("conftest.py", "tools/compare.py", "tests/sanitize.cfg"))
    found = {}
    for path in chapters:
        notebook = read(path)
        now = digest(parts(notebook, run_of(notebook).get("files", ())))
        cells = json.dumps([(source(cell), tags(cell), cell["outputs"]) for cell in code_cells(notebook)])
        found[path.stem] = hashlib.sha256(cells.encode() + rules + now.encode()).hexdigest()[:16]
    return found


def pytest_result(arguments: Sequence[str], env: Mapping[str, str], digest: str) -> Result:
    """One run of pytest, read from its own report. A run that dies counts as one failure, with its last words."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        seconds = round(time.perf_counter() - began, 1)
        if done.returncode not in (0, 1) or not report.exists():
            words = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no word"]
            return Result(0, (f"pytest ended with status {done.returncode}: {words[0]}",), seconds, digest)
        cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    failed = tuple(f"{c.get('classname', '').replace('.', '/')}::{c.get('name')}" for c in bad)
    skipped = sum(c.find("skipped") is not None for c in cases)
    return Result(len(cases) - len(failed) - skipped, failed, seconds, digest)


class Kept:
    """Results of one setting in a file, each written as soon as it is there."""

    def __init__(self, folder: Path, setting: str) -> None:
        self.lock = Lock()  # chapters end in threads of their own
        self.path = folder / f"{setting.replace('=', '-')}.json"
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.results = {k: Result(**{**v, "failed": tuple(v["failed"])}) for k, v in stored.items()}
        except (OSError, ValueError, TypeError, KeyError):  # none yet, or cut short
            self.results = {}

    def get(self, unit: str, digest: str) -> Result | None:
        found = self.results.get(unit)
        return found if found is not None and found.digest == digest else None

    def put(self, unit: str, result: Result) -> None:
        with self.lock:
            self.results[unit] = result
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".tmp")
            draft.write_text(json.dumps({k: asdict(v) for k, v in self.results.items()}, indent=1), encoding="utf-8")
            os.replace(draft, self.path)


Units = Mapping[str, tuple[str, Callable[[], Sequence[str]]]]  # {"code" or a chapter: (digest, arguments of pytest)}


def run_setting(setting: str, kept: Kept, units: Units, jobs: int, tell: Callable[[str], None]) -> dict[str, Result]:
    """The results of all units; what is there already is not run."""
    found, env = {}, environment(setting)
    jobs = max(1, jobs // int(env["OMP_NUM_THREADS"]))

    def one(unit: str) -> tuple[str, Result]:
        digest, arguments = units[unit]
        result = kept.get(unit, digest)
        if result is None:
            result = pytest_result(arguments(), env, digest)
            kept.put(unit, result)
            tell(f"{setting}, {unit}: {len(result.failed)} failed, {result.seconds:.0f} s")
        return unit, result

    if "code" in units:  # it spreads over the processes by itself
        found |= dict([one("code")])
    with ThreadPoolExecutor(jobs) as pool:
        found |= dict(pool.map(one, [unit for unit in units if unit != "code"]))
    return found


def units_of(wanted: Sequence[str], subset: bool, jobs: int) -> Units:
    """The code tests, the chapters, or both."""
    units = {}
    if "code" in wanted:
        files = [*RUNNER, "-k", LEFT_OUT] if subset else ["tests", *(f"--ignore={folder}" for folder in OF_TEXTS)]
        spread = ["-n", str(jobs), "--dist", "worksteal"] if jobs > 1 else []
        units["code"] = code_digest(), lambda: [*files, "-m", "not slow", *spread]
    if "book" in wanted:
        found = book_digests(sorted(p for p in BOOK.glob("*.ipynb") if not subset or p.name[:2] in FRAGILE))
        nbval = "--nbval --nbval-current-env --nbval-cell-timeout=1200 --nbval-sanitize-with=tests/sanitize.cfg".split()
        units |= {stem: (digest, lambda stem=stem: [*nbval, f"book/{stem}.ipynb"]) for stem, digest in found.items()}
    return units


def table(found: Mapping[str, Mapping[str, Result]], not_run: Sequence[str]) -> str:
    """One line a setting; below it, which settings were not run and why, and what failed."""
    rows, failures = [("setting", "code passed", "failed", "chapters passed", "failed", "seconds")], []
    for setting, results in found.items():
        code = results.get("code")
        book = [bool(result.failed) for unit, result in results.items() if unit != "code"]
        tested = (code.passed, len(code.failed)) if code else ("–", "–")
        read = (book.count(False), book.count(True)) if book else ("–", "–")
        rows.append((setting, *tested, *read, f"{sum(r.seconds for r in results.values()):.0f}"))
        failures += [f"{setting}: {name}" for result in results.values() for name in result.failed]
    wide = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        f"{row[0]:{wide[0]}}" + "".join(f"  {c!s:>{w}}" for c, w in zip(row[1:], wide[1:], strict=True)) for row in rows
    ]
    return "\n".join([*lines, *not_run, *failures])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, metavar="SETTING", help=", ".join(SETTINGS))
    parser.add_argument("--parts", nargs="+", choices=("code", "book"), default=("code", "book"))
    parser.add_argument("--subset", action="store_true", help="the part of `make test`; it always runs")
    count = lambda n: os.cpu_count() or 1 if n == "auto" else int(n)  # noqa: E731
    parser.add_argument("--jobs", type=count, default=2, help="processes at a time, or auto")
    options = parser.parse_args(argv)
    level, machine = processor()
    chosen = options.settings or (FOREIGN if options.subset else tuple(SETTINGS))
    not_run = {name: "this processor lacks it" for name in chosen if missing(name, level, machine)}
    if not options.settings and own(level) in chosen:
        not_run[own(level)] = "this processor's own, as in the line default"
    chosen = [name for name in chosen if name not in not_run][: 2 if options.subset and not options.settings else None]
    units = units_of(options.parts, options.subset, options.jobs)
    found: dict[str, dict[str, Result]] = {}
    with tempfile.TemporaryDirectory() as fresh:
        for setting in chosen:
            kept = Kept(Path(fresh) if options.subset else OUT, setting)
            found[setting] = run_setting(setting, kept, units, options.jobs, lambda text: print(text, flush=True))
    print(table(found, [] if options.subset else [f"{name}: {why}" for name, why in not_run.items()]))
    return int(any(result.failed for results in found.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
