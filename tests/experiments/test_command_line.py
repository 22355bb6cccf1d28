"""`holicam explain`: every explainer, files that tell what they hold, and one sentence for whatever goes wrong."""

from __future__ import annotations

import hashlib
import os
import runpy
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from typer.testing import CliRunner

import holicam as hc
from holicam.__main__ import app, spread
from holicam.experiments import explain_photos
from holicam.experiments import map_files as mapfiles
from tests.helpers.commands import Cheap, explain, photo, run
from tests.helpers.explainers import TRANSFORMERS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cat(tmp_path):
    return photo(tmp_path / "cat.png")


def contents(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", hc.explainers)
def test_every_explainer(tmp_path, tiny, cat, monkeypatch, name):
    monkeypatch.setattr(explain_photos, "explainers", Cheap())
    out = tmp_path / "out"
    status, said = explain(cat, "--explainer", name, "--out", out, "--target", "key")
    if name == "ground-truth":
        assert status == 2 and "true mask" in said and not out.exists()
        return
    if name in TRANSFORMERS:
        assert status == 1 and "reads the attention of a transformer" in said and "not foreseen" not in said, said
        return
    assert status == 0, said
    layers = ".layer4" if hc.explainers[name].takes == "layer" else ""
    files = [out / f"cat.toy-resnet50.{name}{layers}.6-key.{end}" for end in ("png", "safetensors")]
    assert set(out.iterdir()) == set(files)
    found = load_file(files[1])
    x = hc.photos.to_images(hc.photos.fit(hc.photos.read_photo(cat), 64))
    own = Cheap()[name]()(tiny, x, "layer4" if layers else None, 6)
    assert list(found) == ["layer4" if layers else "map"]
    assert torch.allclose(next(iter(found.values())), own[0], atol=1e-6) and own.shape == (1, 64, 96)


# --- files -----------------------------------------------------------------------------------------


def test_results_of_others_stay_and_a_second_run_replaces_its_own(tmp_path, tiny, cat):
    out = tmp_path / "out"
    runs = {
        "cat.toy-resnet50.grad-cam.layer4": ["--explainer", "grad-cam"],
        "cat.toy-resnet50.layer-cam.layer4": ["--explainer", "layer-cam"],
        "cat.toy-resnet50.grad-cam.layer3": ["--explainer", "grad-cam", "--layers", "layer3"],
        "cat.toy-resnet50.grad-cam.layer3+layer4": ["--explainer", "grad-cam", "--layers", "layer3", "layer4"],
        "cat.toy-resnet50.grad-cam.layer4.0-fish": ["--explainer", "grad-cam", "--target", "fish"],
        "cat.toy-resnet50.grad-cam.layer4.1-house": ["--explainer", "grad-cam", "--target", "house"],
        "cat.toy-vgg16_bn.grad-cam.layer4": ["--explainer", "grad-cam", "--model", "toy-vgg16_bn"],
    }
    for name, words in runs.items():
        before = contents(out) if out.exists() else {}
        status, said = explain(cat, "--out", out, *words, model="toy-resnet50")
        assert status == 0 and "replaced" not in said
        after = contents(out)
        assert before.items() <= after.items()
        assert after.keys() - before.keys() == {f"{name}.png", f"{name}.safetensors"}
        status, said = explain(cat, "--out", out, *words, model="toy-resnet50")
        assert status == 0 and "(replaced)" in said and contents(out) == after
    status, said = explain(cat, "--out", out, "--explainer", "grad-cam", size=96)  # another size, of the same name
    assert status == 0 and after.items() <= contents(out).items()
    more = {n for n in contents(out) if n not in after}
    assert len(more) == 2 and all(n.startswith("cat.toy-resnet50.grad-cam.layer4~") for n in more)
    assert explain(cat, "--out", out, "--explainer", "grad-cam", size=96)[0] == 0
    assert len(contents(out)) == len(after) + 2


def test_photographs_of_one_name_in_two_folders(tmp_path, tiny):
    here, there = photo(tmp_path / "a" / "cat.png", seed=1), photo(tmp_path / "b" / "cat.png", seed=1)
    other = photo(tmp_path / "b" / "cat.jpg", seed=2)
    out = tmp_path / "out"
    assert explain(here, there, other, "--explainer", "grad-cam", "--out", out)[0] == 0
    first = contents(out)
    assert len(first) == 6
    assert explain(other, here, there, "--explainer", "grad-cam", "--out", out)[0] == 0  # in another order
    assert contents(out) == first


def test_the_metadata_say_what_a_map_is_of(tmp_path, tiny, cat):
    explain(cat, "--explainer", "grad-cam", "--layers", "layer1", "layer4", "--target", "fish", "--out", tmp_path)
    with safe_open(tmp_path / "cat.toy-resnet50.grad-cam.layer1+layer4.0-fish.safetensors", "pt") as stored:
        assert set(stored.keys()) == {"layer1", "layer4"} and stored.get_tensor("layer1").shape == (64, 96)
        about = stored.metadata()
    assert about["target"] == "fish" and about["network"] == "toy-resnet50"
    assert about["explainer"].startswith("GradCAM(")
    assert about["photo"] == "cat.png" and about["image"] == "64 x 96" and 0 < float(about["probability"]) < 1e-3


def test_who_waits_gets_the_fast_preset_and_reads_so(tmp_path, tiny, cat):
    """Other settings are another result: it stands beside the first, and neither is taken for the other."""
    found = {}
    for name, words in {"": [], "default": ["--preset", "default"]}.items():
        before = set(tmp_path.glob("out/*.safetensors"))
        assert (
            explain(cat, "--explainer", "holistic-cam", *words, "--out", tmp_path / "out", "--target", "fish")[0] == 0
        )
        (file,) = set(tmp_path.glob("out/*.safetensors")) - before
        with safe_open(file, "pt") as stored:
            found[name] = stored.metadata()["explainer"], stored.get_tensor("layer4")
    assert found[""][0] == repr(hc.HolisticCAM(preset="fast")) != found["default"][0] == repr(hc.HolisticCAM())
    assert not torch.equal(found[""][1], found["default"][1])


@pytest.mark.parametrize("kind", ["itself", "symlink", "hard link"])
def test_no_input_is_written_over(tmp_path, tiny, cat, kind):
    name = "cat.toy-resnet50.grad-cam.layer4.png"
    before, target = cat.read_bytes(), tmp_path / "out" / name
    target.parent.mkdir()
    if kind == "itself":  # a photograph that is named as the result of another one will be
        words = [cat, photo(target, seed=3)]
        before = target.read_bytes()
    else:
        (target.symlink_to if kind == "symlink" else target.hardlink_to)(cat)
        words = [cat]
    status, said = explain(*words, "--explainer", "grad-cam", "--out", target.parent)
    assert status == 1 and "is one of the photographs" in said and "1 failed" in said
    assert target.read_bytes() == before and (kind != "symlink" or target.is_symlink())
    assert f"{len(words) - 1} done" in said


def test_out_of_the_photograph_s_own_folder(tmp_path, tiny, cat, monkeypatch):
    before = cat.read_bytes()
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert explain("cat.png", "--explainer", "grad-cam", "--out", ".")[0] == 0
    assert cat.read_bytes() == before and len(list(tmp_path.iterdir())) == 3


def test_files_of_others_are_not_replaced(tmp_path, tiny, cat):
    mine = tmp_path / "out" / "cat.toy-resnet50.grad-cam.layer4.png"
    photo(mine, seed=4)
    before = contents(mine.parent)
    status, _ = explain(cat, "--explainer", "grad-cam", "--out", mine.parent)
    after = contents(mine.parent)
    assert status == 0 and before.items() <= after.items() and len(after) == 3
    for file in mine.parent.iterdir():
        if "~" in file.name:
            file.unlink()
            file.mkdir()  # now nothing is left to write to
    status, said = explain(cat, "--explainer", "grad-cam", "--out", mine.parent)
    assert (
        status == 1
        and "was not written by this command" in said
        and before.items()
        <= {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in mine.parent.iterdir() if p.is_file()}.items()
    )


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 120, "a'b\"<c>&", "two\nlines", "-dash", " space ", ".dot"])
def test_odd_names(tmp_path, tiny, stem):
    odd = photo(tmp_path / f"{stem}.png")
    status, said = explain(tmp_path / "gone.png", odd, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert status == 1 and "gone.png" in said and "1 done, 1 failed" in said, said
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_long_names_are_told_apart():
    def name(stem, layers=("layer4",), wanted=""):
        return mapfiles.Made(
            hc.photos.Path(stem + ".png"), "vgg16_bn:IMAGENET1K_V1", "grad-cam", "GradCAM()", layers, wanted, 224, ""
        ).name()

    assert name("cat") == "cat.vgg16_bn-IMAGENET1K_V1.grad-cam.layer4"
    assert name("cat", wanted="281-tabby/cat") == "cat.vgg16_bn-IMAGENET1K_V1.grad-cam.layer4.281-tabby-cat"
    long = ["x" * 250 + "a", "x" * 250 + "b", "é" * 125 + "a", "é" * 125 + "b"]
    names = [name(stem) for stem in long]
    names += [name("x" * 250, tuple(f"features.{i}" for i in range(n))) for n in (30, 31)]
    assert len(set(names)) == 6 and all(len(n.encode()) <= 255 - mapfiles.ROOM for n in names)


def test_nothing_half_written_is_left(tmp_path, tiny, cat, monkeypatch):
    out = tmp_path / "out"
    explain(cat, "--explainer", "grad-cam", "--out", out)
    before = contents(out)

    def full(self, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        status, said = explain(cat, "--explainer", "grad-cam", "--out", out)
    assert status == 1 and "cat.png" in said and "No space left on device" in said and contents(out) == before

    def stopped(draft, file):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopped)
        status, said = explain(cat, "--explainer", "grad-cam", "--out", out)
    assert status == 130 and "0 of 1 photographs are done" in said and contents(out) == before


# --- what goes wrong -------------------------------------------------------------------------------


def test_one_photograph_after_another(tmp_path, tiny, monkeypatch):
    files = [photo(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    (tmp_path / "text.png").write_text("no picture")
    errors = iter(
        [
            None,
            RuntimeError("mat1 and\nmat2"),
            torch.OutOfMemoryError("CUDA out of memory"),
            None,
            MemoryError(),
            ZeroDivisionError(),
        ]
    )
    plain = hc.GradCAM()

    def breaks(*given, **options):
        if error := next(errors):
            raise error
        return plain(*given, **options)

    monkeypatch.setattr(explain_photos, "explainers", {"grad-cam": lambda: breaks})
    status, said = explain(tmp_path / "text.png", *files, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert status == 1 and "2 done, 5 failed" in said
    assert "1.png: RuntimeError: mat1 and mat2 (this was not foreseen" in said and "text.png cannot be read" in said
    assert said.count("not enough memory") == 2 and "5.png: ZeroDivisionError (this" in said
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_network_is_interrupted(tmp_path, tiny, monkeypatch):
    files = [photo(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    plain, calls = hc.GradCAM(), []

    def stops(*given, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*given, **options)

    monkeypatch.setattr(explain_photos, "explainers", {"grad-cam": lambda: stops})
    status, said = explain(*files, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert status == 130 and "Stopped: 1 of 3 photographs are done, and their results are kept in" in said
    assert len(list((tmp_path / "out").iterdir())) == 2


WRONG = {
    "--layers layer9": "close names",
    "--layers layre4": "layer4",
    "--layers fc": "10 numbers",
    "--layers layer4 layer4": "each once",
    "--layers": "requires an argument",
    "--layers conv1 fc": "10 numbers",
    "--explainer gradcam": "grad-cam",
    "--explainer GradCAM": "grad-cam",
    "--explainer gradient --layers layer4": "no layer",
    "--explainer holistic-cam --preset slow": "preset must be one of 'default', 'fast'",
    "--explainer grad-cam --preset fast": "grad-cam has no presets: leave out --preset",
    "--explainer rise --reshape tokens": "leave out",
    "--explainer pcam+ --layers nothing": "close names",
    "--target horse": "There is no class",
    "--target 10": "There is no class",
    "--target -1": "There is no class",
    "--device gpu": "no such device",
    "--device meta": "no such device",
    "--device cuda:99": "no such device",
    "--device nonsense:0": "no such device",
    "--device cpu:x": "no such device",
    "--size 0": "32",
    "--size -5": "32",
    "--size 31": "32",
    "--size 100000": "4096",
    "--size many": "integer",
    "--reshape squares": "must be channels-last",
    "--reshape tokens:1:0x4": "no map can be made",
    "--reshape tokens": "no map can be made",
    "--model resnet51": "close names",
    "--nothing": "No such option",
    "--layrs layer4": "--layers",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_said_before_any_photograph_is_read(tmp_path, tiny, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    method = [] if "--explainer" in words else ["--explainer", "grad-cam"]
    status, said = explain("none.jpg", *method, *words.split(" "))
    assert status == 2 and WRONG[words] in said, said
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_there(tmp_path, cat, monkeypatch):
    def refuse(*given, **options):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    status, said = explain(cat, "--out", tmp_path / "out", model="resnet18")
    assert status == 2 and "resnet18-f37072fd.pth" in said and "TORCH_HOME" in said and not (tmp_path / "out").exists()


def test_out_must_be_a_folder(tmp_path, tiny, cat):
    for out in (cat, cat / "below", tmp_path / ("n" * 300)):
        status, said = explain(cat, "--explainer", "grad-cam", "--out", out)
        assert status == 2 and "cannot be written to" in said, said


def test_a_folder_that_may_not_be_written_to(tmp_path, tiny, cat, monkeypatch):
    def touch(self, *given, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.touch", touch)  # whoever runs the tests may write anywhere
    status, said = explain(cat, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert status == 2 and "cannot be written to (Permission denied)" in said


def test_a_wrong_layer_for_a_method(tmp_path, tiny, cat):
    status, said = explain(cat, cat, "--explainer", "cam", "--layers", "layer1", "--out", tmp_path / "out")
    assert status == 1 and said.count("CAM needs logits that are a linear layer") == 2 and "0 done, 2 failed" in said


def test_what_nobody_foresaw_is_one_sentence(tmp_path, tiny, cat, monkeypatch):
    monkeypatch.setattr(explain_photos, "class_names", lambda name: {}["classes"])
    status, said = explain(cat, "--out", tmp_path / "out")
    assert status == 1 and said.startswith("Error: KeyError: 'classes' (this was not foreseen"), said
    monkeypatch.setenv("HOLICAM_DEBUG", "1")
    result = CliRunner().invoke(app, ["report", str(tmp_path / "gone")])
    assert result.exit_code == 1 and "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")


# --- words and their order -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, read",
    {
        "explain a.jpg --layers layer1 layer4 --out maps": "explain a.jpg --layers layer1 --layers layer4 --out maps",
        "explain --layers layer1 layer4 a.jpg b/c": "explain --layers layer1 --layers layer4 a.jpg b/c",
        "explain --layers=layer1 layer4 a.jpg": "explain --layers=layer1 --layers layer4 a.jpg",
        "explain --layers layer1 --layers layer4 a.jpg": "explain --layers layer1 --layers layer4 a.jpg",
        "explain --layers features.29 features.42 A.PNG": "explain --layers features.29 --layers features.42 A.PNG",
        "explain --layers layer1 -- layer4": "explain --layers layer1 -- layer4",
        "explain a.jpg --out maps --debug": "--debug explain a.jpg --out maps",
        "explain a.jpg --layers --out maps": "explain a.jpg --layers --out maps",
        "explain a.jpg --layers": "explain a.jpg --layers",
        "merge run.toml": "merge run.toml",
    }.items(),
)
def test_the_order_of_words(given, read):
    assert spread(given.split()) == read.split() and spread(read.split()) == read.split()


def test_a_file_that_is_there_is_a_photograph(tmp_path, monkeypatch):
    """Whatever its ending; a method's name stays one."""
    monkeypatch.chdir(tmp_path)
    for name in ("x.jfif", "rise"):
        (tmp_path / name).touch()
    long = "layer4," * 50  # longer than a file's name may be
    assert spread(["explain", "--layers", "a", long]) == ["explain", "--layers", "a", "--layers", long]
    assert spread("explain --explainer grad-cam rise x.jfif".split()) == (
        "explain --explainer grad-cam --explainer rise x.jfif".split()
    )


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_said_where_stderr_is_closed(monkeypatch, capsys, closed):
    """Neither on stdout, which is for results, nor as an error."""
    from holicam.__main__ import _bar, main
    from holicam.experiments.said import tell
    from holicam.experiments.shown import Shown

    if closed:
        monkeypatch.setattr("sys.stderr", None)
    main()  # what every command begins with
    watch = Shown(None, None)
    watch.say("a note")
    tell("a sentence")
    assert list(_bar([1, 2], 2, quiet=None)) == [1, 2]
    out, err = capsys.readouterr()
    assert not out and (closed or ("a note" in err and "a sentence" in err))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_both_commands_take_the_same_words(tmp_path, tiny, cat, monkeypatch, capsys):
    """`holicam` calls `app`, and so does `python -m holicam`."""
    status, said = explain("--layers", "layer3", "layer4", cat, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert status == 0 and "1 done" in said
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"holicam": "holicam.__main__:app"}
    words = [
        "explain",
        "gone.jpg",
        "--model",
        "toy-resnet50",
        "--size",
        "32",
        "--explainer",
        "grad-cam",
        "--debug",
        "--layers",
        "layer3",
        "layer4",
        "--out",
        str(tmp_path / "o"),
    ]
    monkeypatch.setattr("sys.argv", ["holicam", *words])
    monkeypatch.setenv("HOLICAM_DEBUG", "")  # so that what --debug sets is undone
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("holicam", run_name="__main__")
    told = capsys.readouterr()
    assert ended.value.code == 1 and "gone.jpg is not there" in told.err and "Traceback" in told.err
    assert told.out == f"0 done, 1 failed; results are in {tmp_path / 'o'}\n"


def test_help_says_what_files_are_called_and_what_the_status_means():
    status, said = run("explain", "--help")
    assert status == 0
    for words in (
        "STEM.NETWORK.EXPLAINER.LAYERS.CLASS",
        "Exit status: 0 all done, 1 some failed, 2 wrong usage",
        "--reshape",
        "No photograph is ever written over",
        *(name for name in hc.explainers if name != "ground-truth"),
    ):
        assert words in said, words
    assert "ground-truth" not in said  # the command refuses it: a photograph has no true mask


def test_a_layer_of_one_cell_is_said(tmp_path, tiny, cat):
    status, said = explain(cat, "--explainer", "grad-cam", "--layers", "avgpool", "--out", tmp_path / "out")
    assert status == 0 and "note: layer avgpool has a single cell" in said


def test_a_toy_network_says_that_it_knows_toys(tmp_path, tiny, cat):
    _, said = explain(cat, "--explainer", "grad-cam", "--out", tmp_path / "out")
    assert said.count("knows only the ten drawn classes of Toyland (fish, house") == 1
