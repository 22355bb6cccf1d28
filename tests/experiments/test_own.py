"""Own code in runs: by place in a configuration, beside it, with --load; noticed when it changes."""

from __future__ import annotations

import json
import re

import pytest

from holicam.experiments.asked import loaded
from holicam.experiments.config import ConfigError, from_toml
from holicam.experiments.own import code_of, is_own_network, places_of
from holicam.experiments.part_file import read_rows
from tests.helpers.commands import explain, photo, run

CODE = """
    import torch
    import holicam as hc
    from PIL import Image
    from shapes_beside import half

    class MyCAM(hc.WeightedCAM):
        def weights(self, A, G):
            return G.amax((2, 3), keepdim=True)

    def peak(maps, masks):
        "Whether the peak is on the object."
        return masks.flatten(1).gather(1, maps.flatten(1).argmax(1, keepdim=True))[:, 0]

    def net():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                                    torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()
        model.preprocessing = hc.Preprocessing(size=32)
        model.class_names = ["one", "other"]
        return model

    class Data:
        classes = ("object",)
        ids = ("a", "b")

        def read(self, name):
            mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
            mask[:, :half(32)] = 1
            return hc.datasets.Raw(Image.new("RGB", (32, 32), (200, 30, ord(name))), (0,), masks=mask)

    def data():
        return Data()
"""
TOML = """
explainers = ["all_mine:MyCAM", {name = "ucag", base = "all_mine:MyCAM", patches = 2, label = "UCAG of mine"}]
networks = ["all_mine:net"]
layers = ["1"]
metrics = ["all_mine:peak", "epg"]
dataset = {name = "all_mine:data"}
"""


@pytest.fixture
def mine(own, tmp_path):
    own("study/all_mine.py", CODE)
    own("study/shapes_beside.py", "def half(n): return n // 2")
    own("study/run.toml", TOML)
    return own


def test_everything_of_ones_own_in_one_run(mine, tmp_path):
    """The code lies beside the configuration, which is named from another folder."""
    status, said = run("evaluate", "study/run.toml", "--device", "cpu")
    assert status == 0, said
    status, said = run("merge", "results/run")
    assert status == 0 and "8 rows; 2 images" in said, said
    status, said = run("report", "results/run", "--maps", "0")
    assert status == 0, said
    assert "all_mine:peak ↑" in (tmp_path / "results/run/report.md").read_text()
    manifest = json.loads((tmp_path / "results/run/manifest.json").read_text())
    assert set(manifest["own"]) == {"all_mine.py", "shapes_beside.py"}
    assert "load" not in manifest["config"] and str(tmp_path / "study") in manifest["given"]["load"]


def test_a_metric_that_fails_costs_its_own_rows(mine, tmp_path):
    """On one image, and on every one; the explainers' other rows are there, and a report can be had of them."""
    mine(
        "study/fails.py",
        """
        def sometimes(maps, images):
            "It does not like the second image."
            if images[:, 2].mean() > -0.105:
                raise ArithmeticError("the blue is too bright")
            return maps.flatten(1).mean(1)

        def never(maps, masks):
            return maps.no_such_thing
        """,
    )
    mine("study/run.toml", TOML.replace('"epg"', '"deletion"'))
    mine("study/some.toml", TOML.replace('"epg"', '"deletion", "fails:sometimes", "fails:never"'))
    status, said = run("evaluate", "study/some.toml", "--device", "cpu")
    assert status == 1 and "on image b with all_mine:net" in said, said
    assert "fails:sometimes: ArithmeticError: the blue is too bright (fails.py, line 5)" in said
    assert "fails:never: AttributeError" in said and "failed on image a" in said
    status, said = run("merge", "results/some", "--partial")
    assert status == 0, said
    rows = read_rows(tmp_path / "results/some/rows.parquet").to_pylist()
    there = {(row["image"], row["metric"]) for row in rows}
    assert there == {(i, m) for i in "ab" for m in ("all_mine:peak", "deletion")} | {("a", "fails:sometimes")}
    assert len(rows) == 2 * len(there)
    status, said = run("report", "results/some", "--load", "mine=fails:never")
    assert status == 1 and "--load mine=… gives a network to a run" in said and "name files of code only" in said
    status, said = run("report", "results/some", "--maps", "0")
    assert status == 0 and "fails:never" in said + (tmp_path / "results/some/report.md").read_text(), said
    alone = run("evaluate", "study/run.toml", "--device", "cpu"), run("merge", "results/run")
    assert [status for status, _ in alone] == [0, 0]
    values = {(r["image"], r["metric"], r["explainer"]): r["value"] for r in rows if "fails" not in r["metric"]}
    wanted = read_rows(tmp_path / "results/run/rows.parquet").to_pylist()
    assert values == {(r["image"], r["metric"], r["explainer"]): r["value"] for r in wanted}


def test_changed_code_is_another_run(mine, tmp_path, forget):
    assert run("evaluate", "study/run.toml", "--device", "cpu")[0] == 0
    forget()
    mine("study/all_mine.py", "# a comment\n" + CODE.replace("\n    ", "\n").lstrip())
    assert run("evaluate", "study/run.toml", "--device", "cpu")[0] == 0  # a comment is no change
    forget()
    mine("study/shapes_beside.py", "def half(n): return n // 4")
    status, said = run("evaluate", "study/run.toml", "--device", "cpu")
    assert status == 1 and "another run (your own shapes_beside.py has changed): choose another folder" in said


def test_code_that_is_edited_while_python_runs(mine):
    config = from_toml("study/run.toml")
    code_of(places_of(config))
    mine("study/all_mine.py", CODE.replace("amax", "mean"))
    with pytest.raises(ValueError, match="was changed after Python had imported it: start Python again"):
        code_of(places_of(config))


def test_load_finds_what_lies_elsewhere(mine, tmp_path):
    cat = photo(tmp_path / "cat.png")
    words = (cat, "--explainer", "all_mine:MyCAM", "--layers", "1", "--out", "maps")
    status, said = explain(*words, model="all_mine:net")
    assert status == 2 and "all_mine.py was not found" in said and "--load FILE.py" in said
    status, said = explain(*words, "--load", "study/all_mine.py", model="all_mine:net")
    assert status == 0 and ("one explained" in said or "other explained" in said), said
    status, said = run("info", "--load", "study/all_mine.py")
    assert "all_mine:MyCAM: explainer of layer, 2 F" in said and "Whether the peak is on the object." in said


def test_networks_by_place_are_not_those_of_others():
    assert is_own_network("my_net:make")
    assert not any(map(is_own_network, ["resnet50:IMAGENET1K_V2", "timm:resnet18", "toy-resnet50"]))


@pytest.mark.parametrize(
    ("line", "said"),
    {
        'explainers = ["all_mine:peak"]': "must be a class that inherits from hc.WeightedCAM",
        'metrics = ["all_mine:net"]': "must have the parameter maps",
        'networks = ["all_mine:Data"]': "must return a torch.nn.Module in eval mode; got Data",
        'dataset = {name = "all_mine:peak"}': "all_mine:peak failed",
        'dataset = {name = "all_mine:net"}': "must return a Dataset, or an object with classes",
        'load = "all_mine.py"': "load must be a list of names",
        'load = ["gone.py"]': "gone.py is not there",
    }.items(),
)
def test_one_sentence_for_what_is_wrong(mine, line, said):
    key = line.split(" = ")[0]
    kept = [other for other in TOML.strip().splitlines() if not other.startswith(f"{key} ")]
    mine("study/wrong.toml", "\n".join([line, *kept]))
    status, words = run("evaluate", "study/wrong.toml", "--device", "cpu")
    assert status == 1 and said in words and "not foreseen" not in words, words


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_code_in_other_encodings_is_read_as_python_reads_it(mine, tmp_path, encoding):
    text = f"# -*- coding: {encoding} -*-\ndef half(n): return n // 2  # ä\n"
    (tmp_path / "study/shapes_beside.py").write_text(text, encoding=encoding)
    assert set(code_of(places_of(from_toml("study/run.toml")))) == {"all_mine.py", "shapes_beside.py"}


def test_a_file_beside_ones_own_that_is_no_python_is_named(mine):
    mine("study/all_mine.py", CODE.replace("from shapes_beside import half", "half = abs\n    if 0: import odd"))
    mine("study/odd.py", "def half(:")
    with pytest.raises(ValueError, match="odd.py cannot be read as Python .SyntaxError"):
        code_of(places_of(from_toml("study/run.toml")))


def test_a_file_in_a_folder_with_an_equals_sign_is_a_file(own, tmp_path):
    file = str(own("a=b/equal_sign.py", "def net(): pass"))
    assert loaded([file, "net=equal_sign:net"]) == ({"net": "equal_sign:net"}, [file])


LEAVES = "raise SystemExit(0)"


@pytest.mark.parametrize(
    ("code", "said"),
    {
        CODE.replace("return Data()", LEAVES): "all_mine:data failed (SystemExit: 0)",
        CODE.replace("torch.manual_seed(0)", LEAVES): "all_mine:net, failed: SystemExit: 0",
        CODE.replace("return G.", f"{LEAVES}; return G."): "SystemExit: 0 (all_mine.py, line 9)",
        CODE.replace("return masks.", f"{LEAVES}; return masks."): "SystemExit: 0 (all_mine.py, line 13)",
        CODE.replace("mask = torch", f"{LEAVES}; mask = torch"): "cannot be used: SystemExit: 0",
        CODE.replace('classes = ("object",)', f"@property\n        def classes(self): {LEAVES}"): "SystemExit: 0",
    }.items(),
)
def test_code_that_leaves_python_has_failed(mine, code, said):
    """`sys.exit(0)` in one's own code is no success of the run."""
    mine("study/all_mine.py", code)
    status, words = run("evaluate", "study/run.toml", "--device", "cpu")
    assert status == 1 and said in words and "not foreseen" not in words, words


def test_an_explainer_that_fails_is_named_with_its_line(mine):
    mine("study/all_mine.py", CODE.replace("keepdim=True)\n\n    def peak", "keepdim=True) @ 3\n\n    def peak"))
    status, said = run("evaluate", "study/run.toml", "--device", "cpu")
    assert status == 1 and "all_mine.py, line 9" in said, said


def test_a_network_is_entered_once(mine):
    config = from_toml("study/run.toml")
    assert config.loaders == {"all_mine:net": "all_mine:net"} and len(places_of(config)) == 4
    with pytest.raises(ConfigError, match="two explainers are called"):
        mine("study/twice.toml", TOML.replace('label = "UCAG of mine"', 'label = "all_mine:MyCAM"'))
        from_toml("study/twice.toml")


def test_a_run_does_not_need_the_folder_in_which_it_was_configured(mine, tmp_path, forget):
    """A note is no code; and code that has moved is named with --load, or lies in the current folder."""
    plain = {"explainers": '["grad-cam"]', "dataset": '{name = "toyland", n = 1, size = 32}'}
    toml = "".join(f"{key} = {value}\n" for key, value in plain.items())
    more = 'networks = ["toy-resnet50"]\nmetrics = ["epg"]\nnotes = ["protocol:poly"]\ntarget = "label"\n'
    mine("study/plain.toml", toml + more)
    for name in ("plain", "run"):
        assert run("evaluate", f"study/{name}.toml", "--device", "cpu")[0] == 0
    assert "load" not in json.loads((tmp_path / "results/plain/manifest.json").read_text())["given"]
    (tmp_path / "study").rename(tmp_path / "moved")
    for name in ("plain", "run"):
        forget()
        if name == "run":
            status, said = run("merge", "results/run")
            assert status == 1 and "all_mine.py was not found" in said and "--load FILE.py" in said, said
        code = ("--load", "moved/all_mine.py") if name == "run" else ()
        for command in (("merge",), ("evaluate", "--device", "cpu"), ("report", "--maps", "0")):
            status, said = run(command[0], f"results/{name}", *command[1:], *code)
            assert status == 0, (command, said)
            forget()


def test_a_network_of_ones_own_is_found_in_the_current_folder(mine, tmp_path, monkeypatch):
    mine("study/net.toml", TOML.replace('"all_mine:net"', '"mine"'))
    monkeypatch.chdir(tmp_path / "study")
    status, said = run("evaluate", "net.toml", "--device", "cpu", "--load", "mine=all_mine:net")
    assert status == 0, said
    status, said = run("evaluate", "net.toml", "--device", "cpu", "--load", "mime=all_mine:net")
    assert status == 1 and "loaders names 'mime', which is no network of this run; close names are mine" in said


def test_one_score_is_a_sigmoid(own, tmp_path):
    """The probability of a network of one logit, in rows, in what `explain` says and in a report's examples."""
    own(
        "one.py",
        """
        import torch
        import holicam as hc

        def net():
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                                        torch.nn.Flatten(), torch.nn.Linear(4, 1)).eval()
            model.preprocessing = hc.Preprocessing(size=32)
            return model
        """,
    )
    own(
        "one.toml",
        """
        networks = ["one:net"]
        layers = ["1"]
        explainers = ["grad-cam"]
        metrics = ["deletion"]
        dataset = {name = "folder", root = "pictures"}
        """,
    )
    photo(tmp_path / "pictures/cat.png", size=(32, 32))
    assert run("evaluate", "one.toml", "--device", "cpu")[0] == 0 and run("merge", "results/one")[0] == 0
    (row,) = read_rows(tmp_path / "results/one/rows.parquet").to_pylist()
    assert 0.2 < row["probability"] < 0.8
    status, said = explain(tmp_path / "pictures/cat.png", "--layers", "1", "--out", "maps", model="one:net", size=32)
    assert status == 0 and 20 < float(re.search(r"output 0 (\S+) %", said)[1]) < 80, said
    status, said = run("report", "results/one", "--maps", "1")
    assert status == 0 and f"class 0, {row['probability']:.0%}" in (tmp_path / "results/one/report.html").read_text()
