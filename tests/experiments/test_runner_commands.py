"""`evaluate`, `merge` and `report` as a user types them: what they print works, and what is wrong is one sentence."""

from __future__ import annotations

import re
import shlex
import sys
import time
from types import SimpleNamespace

import pytest

from holicam.experiments import cli as evaluate_cli
from holicam.experiments import run as runner
from holicam.experiments import whole_files
from holicam.experiments.config import from_table
from tests.helpers import disk, runs
from tests.helpers.commands import run


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a small configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(runs.TOML)
    return tmp_path


@pytest.fixture
def fragile(monkeypatch):
    def fail(when, error=None):
        monkeypatch.setattr(runs.Fragile, "when", staticmethod(when))
        monkeypatch.setattr(runs.Fragile, "error", error or RuntimeError("one image is bad"))

    return fail


def printed(said: str) -> list[list[str]]:
    """The commands in what was said, as words behind `holicam`."""
    found = [shlex.split(words) for words in re.findall(r"`([^`]*\bholicam [^`]*)`", said)]
    return [words[words.index("holicam") + 1 :] for words in found]


def errors(said: str) -> int:
    """How many errors were said."""
    return len(re.findall(r"(?<!\w)Error: ", said))


def photos(here):
    """Three pictures in a folder, and a configuration for them."""
    for i in range(3):
        disk.save(here / "photos" / f"photo {i}.png", disk.picture(40, 32, (4, 4, 20, 20), seed=i))
    text = re.sub("dataset = .*", 'dataset = {name = "folder", root = "photos"}', runs.TOML)
    (here / "mine.toml").write_text(text.replace('"epg"', '"deletion"').replace('target = "label"\n', ""))
    return here / "photos"


def test_each_command_prints_the_next_and_it_works(here):
    """From evaluate to the tables, in a folder whose name needs quotes, by what is printed alone."""
    status, said = run("evaluate", "mine.toml", "--out", "my results")
    assert status == 0 and "4 units run, 0 were there; 4 images" in said
    for expected in (["merge", "my results"], ["report", "my results"]):
        (words,) = printed(said)
        assert words == expected
        status, said = run(*words)
        assert status == 0 and "4 images" in said
    assert (here / "my results" / "report.md").exists()
    assert run("merge", "mine.toml", "--out", "my results")[0] == 0  # a configuration is accepted too


def test_a_preset_on_toyland_needs_no_option_again(here, monkeypatch):
    """`merge` of what `evaluate NAME --toyland --images 2` made needs the folder alone, or the name alone."""
    from holicam.experiments import plan as prepared

    monkeypatch.setattr(prepared, "loader", lambda own: lambda name: runs.tiny())
    monkeypatch.setattr(prepared, "find_layers", lambda *args: {})
    monkeypatch.setattr(prepared, "check_target", lambda *args: None)
    table = {
        "dataset": {"name": "toyland", "n": 8, "size": 32},
        "networks": ["tiny"],
        "explainers": ["gradient"],
        "layers": ["relu1"],
        "metrics": ["epg"],
    }
    from holicam.experiments import asked

    def preset(name, toyland, root):
        if not toyland:
            raise ValueError("give the folder")
        return from_table(table)

    monkeypatch.setattr(asked, "preset", preset)
    status, said = run("evaluate", "a-table", "--toyland", "--images", 2)
    assert status == 0 and printed(said) == [["merge", "results/a-table"]]
    assert run("merge", "results/a-table")[0] == 0 and run("merge", "a-table")[0] == 0
    assert run("merge", "a-table", "--toyland", "--images", 2)[0] == 0
    status, said = run("merge", "a-table", "--toyland")
    assert status == 1 and "dataset.n: 2 became 8" in said and printed(said) == [["merge", "results/a-table"]]


def test_a_run_goes_on_by_its_folder(here):
    run("evaluate", "mine.toml", "--shard", "0/2")
    done = len(runs.parts_of(here / "results" / "mine"))
    (here / "mine.toml").unlink()
    status, said = run("evaluate", "results/mine", "--batch", 1)
    assert status == 0 and f"{4 - done} units run, {done} were there" in said
    assert run("merge", "results/mine")[0] == 0


def test_the_folder_here_is_a_folder(here):
    """`--out .` is where it says, and the help says what the default is."""
    assert run("evaluate", "mine.toml", "--out", ".")[0] == 0
    assert (here / "manifest.json").exists() and not (here / "results").exists()
    assert run("merge", "mine.toml", "--out", ".")[0] == 0 and run("merge", ".")[0] == 0 and run("report", ".")[0] == 0
    for command in ("evaluate", "merge"):
        said = run(command, "--help")[1]
        assert "default: results/NAME" in said and "[default: .]" not in said
    assert "code of your own, module:name, which is then run" in run("evaluate", "--help")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--shard 1", "--shard must be rank/processes"),
        ("--shard 1/2/3", "--shard must be rank/processes"),
        ("--shard=-1/2", "--shard must be rank/processes"),
        ("--shard a/b", "--shard must be rank/processes"),
        ("--shard 0/0", "there must be at least one process"),
        ("--shard 3/2", "the rank must lie in 0..1"),
        ("--device gpu", "'gpu'"),
        ("--device nonsense", "'nonsense'"),
        ("--device cuda:99", "'cuda:99'"),
        ("--device meta", "'meta'"),
        ("--load nothing", "nothing.py was not found: looked in"),
        ("--load tiny=no_such:thing", 'loaders: tiny = "no_such:thing" must be'),
        ("--load tiny=tests.helpers.runs:nothing", 'loaders: tiny = "tests.helpers.runs:nothing" must be'),
        ("--load tiny=tests.helpers.runs:planned", "eval mode; got Plan"),
        ("--load tiny=tests.helpers.runs:run", "failed: TypeError"),
        ("--out mine.toml", "mine.toml"),
        ("--out mine.toml/below", "mine.toml/below"),
    ],
)
def test_wrong_options_are_one_sentence(here, words, message):
    status, said = run("evaluate", "mine.toml", *words.split())
    assert status == 1 and errors(said) == 1 and message in said and "not foreseen" not in said
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("networks = [", "is not TOML"),
        ('networks = "tiny"', "networks must be a list"),
        ('protocol = "rize"', "there is no protocol 'rize'; close names are rise"),
        ('layers = "relu1"', "a text is no list of names"),
        ("networks = [1]", "networks must be a list of names"),
        ("explainers = [5]", "an explainer must be a name or a table"),
        ("explainers = [{}]", "must be a name or a table"),
        ('loaders = "runs:tiny"', "loaders must be a table"),
        ("layers = 4", "layers must be a list of names"),
        ("dataset = 4", "dataset must be a name or a table"),
        ("notes = [1]", "notes must be a list of names"),
        ("table = 3", "table must be a name"),
        ("batch_size = 0", "batch_size must be a whole number"),
        ("batch = 4", "batch is called batch_size now: rename it"),
        ('layers = ["relu7"]', "has no layer 'relu7'"),
        ('dataset = {name = "toyland", n = "x"}', "toyland"),
    ],
)
def test_wrong_files_are_one_sentence(here, text, message):
    key = text.split(" ")[0]
    kept = [line for line in runs.TOML.splitlines() if not line.startswith(key)]
    (here / "mine.toml").write_text("\n".join([text, *kept]))
    status, said = run("evaluate", "mine.toml")
    assert status == 1 and errors(said) == 1 and message in said and "not foreseen" not in said
    (here / "mine.toml").write_bytes(b"\xff\xfe")
    assert "is not TOML" in run("evaluate", "mine.toml")[1]


@pytest.mark.parametrize("name", ["mine.toml", "results/mine"])
@pytest.mark.parametrize("command", ["evaluate", "merge"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--toyland"], "--toyland is for presets"),
        (["--root", "."], "--root is for presets"),
        (["--toyland", "--root", "."], "--toyland and --root are for presets"),
    ],
)
def test_options_of_presets_are_refused_elsewhere(here, name, command, options, message):
    """They changed nothing, and nobody said so."""
    (here / "results" / "mine").mkdir(parents=True)
    (here / "results" / "mine" / "manifest.json").write_text("{}")
    status, said = run(command, name, *options)
    assert status == 1 and errors(said) == 1 and message in said and f"{name} says its data set itself" in said


@pytest.mark.parametrize(
    "words",
    [
        ["merge", "nowhere"],
        ["report", "nowhere"],
        ["merge", "gone.toml"],
        ["evaluate", "gone.toml"],
        ["merge", "mine.toml"],
    ],
)
def test_what_is_not_there_is_one_sentence(here, words):
    status, said = run(*words)
    assert status == 1 and errors(said) == 1 and "not foreseen" not in said


@pytest.mark.parametrize("text", ["", "{}", "[1", '{"config": 3}'])
def test_a_broken_manifest_is_one_sentence(here, text):
    run("evaluate", "mine.toml")
    run("merge", "results/mine")
    (here / "results" / "mine" / "manifest.json").write_text(text)
    for words in (
        ["evaluate", "mine.toml"],
        ["evaluate", "results/mine"],
        ["merge", "results/mine"],
        ["merge", "mine.toml"],
        ["report", "results/mine"],
    ):
        status, said = run(*words)
        assert status == 1 and errors(said) == 1 and "manifest.json" in said and "not foreseen" not in said


def test_a_package_that_is_missing_is_one_sentence(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    disk.coco(here)
    text = re.sub("dataset = .*", f'dataset = {{name = "coco2014", root = "{here}", partial = true}}', runs.TOML)
    (here / "mine.toml").write_text(text)
    status, said = run("evaluate", "mine.toml")
    assert status == 1 and "pycocotools" in said and "install" in said and errors(said) == 1


def test_the_version_is_that_of_the_code(monkeypatch):
    """A checkout on PYTHONPATH, with nothing installed."""
    import importlib.metadata

    import holicam

    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    monkeypatch.setattr("holicam.experiments.plan.__version__", "7.8.9")
    assert runs.planned().manifest()["holicam"] == "7.8.9" and holicam.__version__ != "7.8.9"


def test_a_full_disk_names_the_file(here, monkeypatch):
    import errno

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(whole_files.os, "fsync", full)
        status, said = run("evaluate", "mine.toml")
        assert status == 1 and "Error: results/mine/manifest.json: No space left on device" in said
    run("evaluate", "mine.toml")
    run("merge", "results/mine")
    with monkeypatch.context() as patch:
        patch.setattr(whole_files.os, "fsync", full)
        assert "Error: results/mine/written.json: No space left on device" in run("report", "results/mine")[1]
        assert "Error: results/mine/rows.parquet: No space left on device" in run("merge", "results/mine")[1]


def test_ctrl_c_says_that_the_run_can_go_on(here, fragile):
    fragile(lambda images: True, KeyboardInterrupt())
    status, said = run("evaluate", "mine.toml")
    assert status == 130 and "kept" in said and "goes on" in said
    fragile(lambda images: False)
    assert run("evaluate", "mine.toml")[0] == 0


def test_failures_are_listed_at_the_end(here, fragile):
    plan = runs.planned()
    fragile(runs.shows(plan, 2))
    status, said = run("evaluate", "mine.toml")
    assert status == 1 and "4 units run" in said and "Failed: grad-cam failed on image toyland/test/single/0/2" in said
    assert "one image is bad" in said and printed(said) == [["evaluate", "results/mine"]]
    status, merged = run("merge", "results/mine")
    assert status == 1 and "2 are missing because of failures" in merged
    assert ["merge", "results/mine", "--partial"] in printed(merged)
    assert run("merge", "results/mine", "--partial")[0] == 0 and run("report", "results/mine")[0] == 0
    fragile(lambda images: False)
    assert run(*printed(said)[0])[0] == 0 and "8 rows; 4 images" in run("merge", "results/mine")[1]


def test_damage_ends_with_what_is_said(here):
    """merge says --repair, then evaluate, then it joins: no circle."""
    run("evaluate", "mine.toml")
    first, second, *_ = runs.parts_of(here / "results" / "mine")
    first.write_bytes(b"half")
    (first.parent / "copy.parquet").write_bytes(second.read_bytes())
    status, said = run("merge", "results/mine")
    assert status == 1 and first.name in said and "copy.parquet" in said
    status, said = run(*printed(said)[0])
    assert status == 1 and printed(said) == [["evaluate", "results/mine"]]
    assert run(*printed(said)[0])[0] == 0
    assert "8 rows" in run("merge", "results/mine")[1]


def test_skipped_images_are_said_at_the_start_and_at_the_end(here):
    disk.break_off(photos(here) / "photo 1.png")
    status, said = run("evaluate", "mine.toml")
    assert status == 0 and "1 of 3 images cannot be read and is passed over, the first: photo 1" in said
    assert said.index("passed over") < said.index("units run") and "3 images, 1 of which could not be read" in said
    for words in (["evaluate", "mine.toml"], ["merge", "results/mine"], ["report", "results/mine"]):
        status, said = run(*words)
        assert status == 0 and "3 images, 1 of which could not be read, the first: photo 1" in said, words
    assert "3 images, 1 of which could not be read" in (here / "results" / "mine" / "report.md").read_text()


def test_a_folder_of_nothing_that_can_be_read_is_an_error(here):
    for path in photos(here).iterdir():
        disk.break_off(path)
    for words in ([], ["--shard", "1/2"], ["--dry-run"]):
        status, said = run("evaluate", "mine.toml", *words)
        assert status == 1 and "none of the 3 images" in said and "can be read" in said and errors(said) == 1
    assert not runs.parts_of(here / "results" / "mine")
    from holicam.experiments.config import from_toml

    runner.evaluate(runner.Plan.of(from_toml(here / "mine.toml")), here / "results" / "mine", part=(0, 1))
    for words in (["merge", "results/mine"], ["evaluate", "mine.toml"]):
        status, said = run(*words)
        assert status == 1 and "none of the 3 images could be read" in said


def test_looking_at_many_images_ends(monkeypatch):
    from holicam.experiments.looking import look, told

    data = runs.planned(dataset={"name": "toyland", "n": 30, "size": 32}).dataset
    assert look(data, data.ids, seconds=0)[0] == 1
    said = told(10, 30, {"a": "it ends early", "b": "gone"})
    assert said == (
        "2 of the first 10 images, of 30, cannot be read and are passed over, the first: a (it ends early); b (gone)"
    )
    assert told(30, 30, {}) == ""


def test_under_torchrun_a_failure_waits_for_the_others(here, fragile, monkeypatch):
    """torchrun ends all processes when one of them ends with a failure."""
    fragile(lambda images: True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    waited = []

    def other(seconds):
        waited.append(seconds)
        monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
        run("evaluate", "mine.toml", "--shard", "1/2")

    own = {**vars(time), "sleep": other}  # of this module alone: whoever waits for a process sleeps, too
    monkeypatch.setattr(evaluate_cli, "time", SimpleNamespace(**own))
    assert run("evaluate", "mine.toml", "--shard", "0/2")[0] == 1
    assert len(waited) == 1 and len(list((here / "results" / "mine" / "failures").iterdir())) == 4


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "9",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "3",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            (3, 4),
        ),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK must be a whole number; got 'one'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "the rank must lie in 0..1"),
        ({"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "2"}, "the rank must lie in 0..1"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "at least one process"),
    ],
)
def test_what_a_launcher_says_is_checked(monkeypatch, given, found):
    for name in (
        "RANK",
        "WORLD_SIZE",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_MIN",
        "SLURM_ARRAY_TASK_STEP",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if isinstance(found, tuple):
        assert runner.shard() == found
    else:
        with pytest.raises(ValueError, match=found):
            runner.shard()
