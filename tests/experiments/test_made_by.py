"""Which code made rows: every part says it, the merged rows' manifest holds it, and a change is noticed."""

from __future__ import annotations

import json
import warnings

import pytest

from holicam.experiments import made_by
from holicam.experiments import results as stored
from holicam.experiments import storage as parts
from holicam.experiments.code import changed, code_hash, definitions, file_hash
from holicam.experiments.manifest import read_manifest
from holicam.experiments.part_file import about, encode, read_rows
from holicam.models import data_folder
from tests.helpers.runs import edit, parts_of, planned, run, same_run

RESULTS = data_folder() / "results"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A merged run."""
    out = tmp_path_factory.mktemp("whole")
    run(planned(), out)
    parts.merge(out)
    return out


@pytest.fixture
def out(whole, tmp_path):
    """A copy of its parts, manifest and code."""
    for path in whole.rglob("*"):
        if path.is_file():
            place = tmp_path / path.relative_to(whole)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(path.read_bytes())
    return tmp_path


def test_a_manifest_says_which_code_made_its_rows(whole):
    code = read_manifest(whole)["code"]
    names = {about(path)["code"] for path in parts_of(whole)}
    assert code["hash"] == code_hash(code["files"]) in names
    assert {"core/capture.py", "methods/cams/gradcam.py", "metrics/energy.py", "experiments/rows.py"} <= set(
        code["files"]
    )
    assert not [file for file in code["files"] if file.startswith(("notebook/", "experiments/cli"))]
    assert changed(code["files"]) == []


def test_parts_of_different_code_are_joined_and_said(out):
    """A file that changed between two processes is named, and the hash is that of neither."""
    path = next((out / "code").glob("*.json"))
    code = json.loads(path.read_text(encoding="utf-8"))
    code["core/ops.py"] = [*code["core/ops.py"], "0" * 64]
    name = made_by._hash(code)
    (out / "code" / f"{name[:16]}.json").write_text(json.dumps(code), encoding="utf-8")
    first = parts_of(out)[0]
    first.write_bytes(encode(read_rows(first), {"code": name}))
    said = []
    parts.merge(out, say=said.append)
    assert len(said) == 1 and "made by different code (core/ops.py changed in between)" in said[0]
    manifest = read_manifest(out)
    assert manifest["code"]["hash"] not in (name, code_hash(manifest["code"]["files"]))
    assert changed(manifest["code"]["files"]) == ["core/ops.py"]


def test_parts_that_do_not_say_leave_it_unknown(out):
    for path in parts_of(out):
        parts.write_part(path, read_rows(path).to_pylist())
    said = []
    parts.merge(out, say=said.append)
    assert "do not say which code made them" in said[0] and "code" not in read_manifest(out)
    assert "not known which code" in stored.other_code("mine", read_manifest(out))


def test_a_run_goes_on_after_it_was_merged(whole, out):
    parts_of(out)[0].unlink()
    assert run(planned(), out)[0] == 1
    assert same_run(parts.merge(out), read_rows(whole / "rows.parquet"))


@pytest.fixture
def package(tmp_path):
    """A package of two files, and the stamp of rows that they made."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "ops.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "core" / "more.py").write_text("from .ops import double\n\nLIMIT = 3\n")
    code = {file: definitions(tmp_path / file) for file in ("core/ops.py", "core/more.py")}
    return tmp_path, made_by.stamp(code)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda core: (core / "ops.py").write_text('def double(x):\n    """Twice x."""\n    return 2 * x  # yes\n'),
            [],
        ),
        (lambda core: (core / "ops.py").rename(core / "moved.py"), []),
        (lambda core: (core / "more.py").write_text("from .moved import double\n\nLIMIT = 3\n"), []),
        (lambda core: (core / "new.py").write_text("OTHER = 4\n"), []),
        (lambda core: (core / "ops.py").write_text("def double(x):\n    return 3 * x\n"), ["core/ops.py"]),
        (lambda core: (core / "more.py").write_text("LIMIT = 4\n"), ["core/more.py"]),
        (lambda core: (core / "ops.py").unlink(), ["core/ops.py"]),
        (lambda core: (core / "ops.py").write_text("def double(x: int) -> int:\n    return 2 * x\n"), []),
    ],
    ids=["comment", "move", "import", "another file", "formula", "constant", "gone", "annotation"],
)
def test_what_counts_as_a_change(package, change, found):
    folder, code = package
    assert code["files"] == {file: file_hash(folder / file) for file in code["files"]}
    assert changed(code["files"], folder) == []
    change(folder / "core")
    assert changed(code["files"], folder) == found


def test_rows_of_other_code_warn(out):
    (out / "rows.json").write_bytes((out / "manifest.json").read_bytes())
    edit(out / "rows.json", lambda m: m | {"code": made_by.stamp(made_by.makers())})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored.load("rows", out)
    edit(out / "rows.json", lambda m: (m["code"]["files"].update({"core/ops.py": "0" * 12}), m)[1])
    with pytest.warns(stored.StaleCodeWarning, match=r"rows were made by other code .*core/ops.py changed"):
        assert stored.load("rows", out).images


@pytest.mark.parametrize("name", sorted(path.stem for path in RESULTS.glob("*.json")))
def test_stored_rows_were_made_by_todays_code(name):
    """Or recomputed since, in part, and found to be the same: `python -m tools.restamp`."""
    assert stored.other_code(name, stored.read(name, RESULTS)) == ""
