"""Parts and manifests: what is damaged, foreign, doubled or half written is noticed, said and mended."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holicam.experiments import report, whole_files
from holicam.experiments import storage as parts
from holicam.experiments.config import RENAMED, ConfigError
from holicam.experiments.joining import IncompleteError
from holicam.experiments.manifest import ManifestError, complete, depended_on, read_manifest, run_name
from holicam.experiments.naming import named, without
from holicam.experiments.part_file import BrokenPartError, encode, read_rows, table_of
from holicam.experiments.run import evaluate
from holicam.experiments.speed import bounded
from holicam.experiments.units import groups_of
from tests.helpers.runs import Heard, edit, parts_of, planned, run, same_run

OTHER = {"explainers": [{"name": "grad-cam", "score": "prob"}, "gradient"]}


@pytest.fixture
def out(whole, tmp_path):
    """A copy of its parts and manifest."""
    (tmp_path / "parts").mkdir()
    for path in [*parts_of(whole[0]), whole[0] / "manifest.json"]:
        (tmp_path / path.relative_to(whole[0])).write_bytes(path.read_bytes())
    return tmp_path


# What a part is -----------------------------------------------------------------------------------


def test_a_flipped_byte_is_noticed_wherever_it_lies(whole, tmp_path):
    path, damaged = parts_of(whole[0])[0], tmp_path / "damaged.parquet"
    data, rows = path.read_bytes(), read_rows(path)
    noticed = 0
    for place in range(0, len(data), 29):
        changed = bytearray(data)
        changed[place] ^= 0xFF if place % 2 else 0x01
        damaged.write_bytes(changed)
        try:
            assert parts.same_rows(read_rows(damaged), rows), place
        except BrokenPartError:
            noticed += 1
    assert noticed > 0.5 * len(data) / 29  # the rest is in places that nobody reads


@pytest.mark.parametrize("damage", ["empty", "half", "garbage", "page", "run", "weights", "settings", "image", "unit"])
def test_a_part_counts_after_it_was_read(plan, whole, out, damage):
    """What is not this unit's whole part is moved aside, after saying so, and computed again."""
    path, data = parts_of(out)[0], parts_of(out)[0].read_bytes()
    rows = read_rows(path).to_pylist()
    if damage in ("run", "weights", "settings", "image"):
        rows[0] = {**rows[0], damage: "deadbeef0000"}
    new = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "garbage": b"PAR1" + bytes(200) + b"PAR1",
        "page": data[:30] + bytes([data[30] ^ 1]) + data[31:],
        "unit": parts_of(out)[1].read_bytes(),
    }
    path.write_bytes(new.get(damage) or encode(table_of(rows)) if damage != "empty" else b"")
    done, heard = run(plan, out)
    assert done == 1 and len(heard.said) == 1 and len(heard.there) == len(plan.units) - 1
    assert path.name in heard.said[0] and "moved to" in heard.said[0] and "computed again" in heard.said[0]
    assert [p.name for p in (out / "aside").iterdir()] == [path.name]
    assert same_run(parts.merge(out), whole[1]) and run(plan, out)[0] == 0


def test_parts_of_older_versions_count(plan, whole, out):
    """Without checksums and digest."""
    for path in parts_of(out):
        pq.write_table(read_rows(path).replace_schema_metadata(None), path)
    assert run(plan, out)[0] == 0
    assert same_run(parts.merge(out), whole[1])


def test_rows_of_pairs_and_curves_keep_their_columns(tmp_path):
    row = {
        "run": "r",
        "network": "n",
        "value": 0.5,
        "subset": "easy",
        "share": [0.0, 1.0],
        "curve": [0.25, float("nan")],
    }
    for rows in ([row], [row, {**row, "curve": None, "share": None}], []):
        path = tmp_path / "a.parquet"
        parts.write_part(path, rows)
        assert parts.same_rows(read_rows(path), table_of(rows))
    path.write_bytes(encode(pa.table({"run": ["r"]})))
    with pytest.raises(BrokenPartError, match="columns are not those of result rows, without dataset"):
        read_rows(path)


# What a run is ------------------------------------------------------------------------------------


def test_what_changes_speed_is_no_part_of_a_run(plan, whole, tmp_path):
    """A run begins in units of two, goes on with other sizes and an explainer's chunk, and has the same rows."""
    table = {"explainers": ["grad-cam", {"name": "rise", "masks": 6}], "seed_by_image": ["rise"]}
    first = planned(**table)
    evaluate(first, tmp_path, part=(0, 2), on="cpu")
    begun = {path: path.stat().st_mtime_ns for path in parts_of(tmp_path)}
    assert 0 < len(begun) < 4
    table["explainers"] = ["grad-cam", {"name": "rise", "masks": 6, "chunk": 3}]
    done, heard = run(planned(**table, images_per_unit=3, batch_size=1), tmp_path)
    assert done == 4 - len(begun) and "begun in units of 2 images and goes on so" in heard.said[0]
    assert all(path.stat().st_mtime_ns == when for path, when in begun.items())
    together = parts.merge(tmp_path)
    run(first, tmp_path / "undisturbed")
    want = parts.merge(tmp_path / "undisturbed")
    for name in set(together.column_names) - {"value", "probability"}:
        assert together[name].equals(want[name]), name
    assert together["value"].to_pylist() == pytest.approx(want["value"].to_pylist(), abs=1e-5, nan_ok=True)
    assert run(planned(**table, images_per_unit=3, batch_size=1), tmp_path)[0] == 0


def test_explainers_that_differ_in_speed_are_one():
    import holicam as hc

    slow = hc.UCAG(base=hc.SmoothGrad(samples=3, chunk=5), chunk=2)
    assert named(slow) == named(hc.UCAG(base=hc.SmoothGrad(samples=3))) != named(hc.UCAG(base=hc.SmoothGrad(samples=4)))
    assert named(hc.SmoothGrad(samples=3, chunk=7)) == "SmoothGrad(samples=3)"  # as rows and seeds have it
    assert bounded(slow, 3) == hc.UCAG(base=hc.SmoothGrad(samples=3, chunk=3), chunk=2)
    assert bounded(hc.GradCAM(), 3) == hc.GradCAM() and named("no explainer") == "'no explainer'"
    assert without(repr(slow)) == without(repr(hc.UCAG(base=hc.SmoothGrad(samples=3)))) != without(repr(hc.UCAG()))
    groups = [groups_of(planned(explainers=["pcam+", {"name": "pcam-", "chunk": n}]).config.made) for n in (64, 3)]
    assert groups[0] == groups[1] == {"asked": ("pcam+", "pcam-")}


def test_variants_that_share_questions_keep_to_the_smallest_batch():
    from holicam.experiments.rows import rows

    table = {"explainers": ["cam+", {"name": "cam-", "chunk": 3}], "metrics": ["epg"]}
    found = [
        {
            (row["explainer"], row["image"]): row["value"]
            for unit in plan.units
            for row in rows(plan.work(unit, "", "cpu"))
        }
        for plan in (planned(**table), planned(**table, batch_size=1))
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-5, nan_ok=True) and len(found[0]) == 8


def test_a_batch_bounds_what_the_network_sees(plan):
    from holicam.experiments.rows import rows

    seen = []
    model = plan.load("tiny")
    hook = model.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    try:
        small = planned(batch_size=1, explainers=["grad-cam", {"name": "rise", "masks": 5}, "ucag"])
        small.load("tiny").register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
        assert [row for unit in small.units for row in rows(small.work(unit, "", "cpu"))]
    finally:
        hook.remove()
    assert set(seen) == {1}


def test_the_manifest_of_an_older_version_goes_on(plan, whole, out):
    """It has no name, no list of images and no configuration as it was given; its rows carry the hash of the whole."""
    edit(out / "manifest.json", lambda m: {k: v for k, v in m.items() if k not in ("run", "given", "images")})
    old = run_name(read_manifest(out))
    assert old != run_name(read_manifest(whole[0]))
    for path in parts_of(out):
        parts.write_part(path, [{**row, "run": old} for row in read_rows(path).to_pylist()])
    parts_of(out)[0].unlink()
    assert run(plan, out)[0] == 1
    with pytest.raises(ManifestError, match="older version and does not list its images: name the configuration"):
        parts.merge(out)
    table = parts.merge(out, plan.keys())
    assert table["run"].unique().to_pylist() == [old] and table["value"].equals(whole[1]["value"])


def test_a_run_of_an_older_version_goes_on_under_its_names(plan, whole, out):
    """Explainers by their whole `repr`, two settings under old names: the new rows say what the old ones do."""

    def older(manifest):
        config = {key: value for key, value in manifest["config"].items() if key not in RENAMED.values()}
        config["explainers"] = {label: [repr(made), None] for label, made in plan.config.made.items()}
        given = {("chunk" if key == "images_per_unit" else key): value for key, value in manifest["given"].items()}
        old = {**manifest, "config": config | {"chunk": 2, "batch": 64}, "given": given}
        return complete({key: value for key, value in old.items() if key not in ("run", "code")})

    edit(out / "manifest.json", older)
    old = read_manifest(out)
    names = {label: said for label, (said, _) in old["config"]["explainers"].items()}
    for path in parts_of(out):
        rewritten(path, run=old["run"])
        rows = read_rows(path).to_pylist()
        parts.write_part(path, [{**row, "settings": names[row["explainer"]]} for row in rows])
    parts_of(out)[0].unlink()
    done, heard = run(plan, out)
    assert done == 1 and heard.said == [] and names["grad-cam"].startswith("GradCAM(relu=True")
    table = parts.merge(out)
    assert set(table["settings"].to_pylist()) == set(names.values())
    assert table["value"].equals(whole[1]["value"]) and run(planned(images_per_unit=3), out)[0] == 0


def test_another_run_is_refused_by_what_its_rows_depend_on(plan, out):
    with pytest.raises(ConfigError, match="explainers.grad-cam.*score='prob'"):
        evaluate(planned(**OTHER), out)
    manifest = read_manifest(out)
    assert {"run", "given", "images"}.isdisjoint(depended_on(manifest)) and len(manifest["images"]) == 4
    assert {"batch_size", "images_per_unit"}.isdisjoint(depended_on(manifest)["config"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("{", "it is no JSON"),
        ("[]", "it is no table"),
        ("{}", "config is missing"),
        ('{"config": {}, "ids": "", "weights": {}, "layers": {}}', "config.networks is missing"),
        (lambda m: m["config"].update(protocol="rise"), "its settings are not those of run"),
        (lambda m: m["images"].pop(), "its images are not those of its ids"),
        (lambda m: m.pop("given"), "given is missing"),
    ],
)
def test_a_manifest_that_is_not_whole_is_one_sentence(plan, out, text, message):
    parts.merge(out)
    if isinstance(text, str):
        (out / "manifest.json").write_text(text)
    else:
        edit(out / "manifest.json", lambda m: (text(m), m)[1])
    for call in (lambda: evaluate(plan, out), lambda: parts.merge(out), lambda: report.write(out)):
        with pytest.raises(ManifestError, match=message) as caught:
            call()
        assert str(out / "manifest.json") in str(caught.value) and "\n" not in str(caught.value)


def test_parts_without_a_manifest_are_nobodys(plan, out):
    """Whoever deletes the manifest gets no other run's rows under its name."""
    (out / "manifest.json").unlink()
    for call in (lambda: evaluate(planned(**OTHER), out), lambda: evaluate(plan, out), lambda: parts.merge(out)):
        with pytest.raises(ManifestError, match="manifest.json is missing, which says what the parts beside it are"):
            call()
    assert not (out / "manifest.json").exists() and len(parts_of(out)) == 4


def test_parts_that_were_deleted_are_made_again(plan, whole, out):
    for path in parts_of(out):
        path.unlink()
    (out / "parts").rmdir()
    assert run(plan, out)[0] == 4 and same_run(parts.merge(out), whole[1])


def test_an_image_that_is_listed_twice_is_refused(tmp_path):
    from tests.helpers import disk

    disk.mura(tmp_path)
    path = tmp_path / "MURA-v1.1" / "valid_image_paths.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises((ValueError, OSError), match="XR_WRIST"):
        planned(dataset={"name": "mura", "root": str(tmp_path), "partial": True})


# Several at once, and killed ----------------------------------------------------------------------


@pytest.mark.parametrize("links", [True, False])
def test_of_two_runs_that_start_at_once_one_is_refused(plan, tmp_path, monkeypatch, links):
    """The other writes its manifest between our look and our own writing."""
    real, other = os.link, planned(**OTHER)

    def late(source, target):
        with monkeypatch.context() as patch:
            patch.setattr(whole_files.os, "link", real)
            parts.open_run(tmp_path, other.manifest(), other.config.made)
        if not links:
            raise OSError(errno.EPERM, "no links here")
        return real(source, target)

    monkeypatch.setattr(whole_files.os, "link", late)
    with pytest.raises(ConfigError, match="holds the rows of another run"):
        evaluate(plan, tmp_path)
    assert read_manifest(tmp_path)["config"]["explainers"]["grad-cam"][0].count("prob") == 1
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["manifest.json"]


def test_a_file_system_without_links_will_do(plan, tmp_path, monkeypatch):
    def none(source, target):
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(whole_files.os, "link", none)
    assert run(plan, tmp_path)[0] == 4 and run(plan, tmp_path)[0] == 0


def test_without_links_a_kill_leaves_no_half_file(tmp_path):
    """SIGKILL at the moment the file would appear: nothing is there, and the next one may write it."""
    code = (
        "import os, signal, sys, pathlib, errno\n"
        "from holicam.experiments import whole_files\n"
        "def none(source, target): raise OSError(errno.ENOTSUP, 'no links here')\n"
        "def killed(source, target): os.kill(os.getpid(), signal.SIGKILL)\n"
        "whole_files.os.link, whole_files.os.replace = none, killed\n"
        "whole_files.write_new(pathlib.Path(sys.argv[1]), b'whole')\n"
    )
    path = tmp_path / "manifest.json"
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL and not path.exists()
    with mock.patch.object(whole_files.os, "link", side_effect=OSError(errno.ENOTSUP, "no links here")):
        whole_files.write_new(path, b"whole")
        assert path.read_bytes() == b"whole"
        with pytest.raises(FileExistsError, match="manifest.json"):
            whole_files.write_new(path, b"other")
    whole_files.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"] and path.read_bytes() == b"whole"


def test_drafts_have_names_of_their_own(tmp_path, monkeypatch):
    """Two processes of one number, in containers, or two threads, never write to the same draft."""
    monkeypatch.setattr(whole_files.os, "getpid", lambda: 7)
    with whole_files._draft(tmp_path / "a", b"one") as one, whole_files._draft(tmp_path / "a", b"two") as two:
        assert one != two and one.read_bytes() == b"one" and two.read_bytes() == b"two"
    assert not list(tmp_path.iterdir())
    whole_files.write_whole(tmp_path / ("x" * 200), b"a long name leaves room for the draft's")


def test_drafts_of_dead_processes_are_swept_away(plan, tmp_path):
    """SIGKILL in the middle of a write leaves a draft; the next start removes it, and no other."""
    (tmp_path / "parts").mkdir()
    with whole_files._draft(tmp_path / "parts" / "a.parquet", b"half") as draft:
        name = draft.name
    live = tmp_path / "parts" / name
    code = (
        "import sys, fcntl; file = open(sys.argv[1], 'wb'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('there', flush=True); sys.stdin.read()"
    )  # what a writer does, without what it imports
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(live)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == "there\n"
    far = tmp_path / "parts" / ".b.parquet.elsewhere.1.abc.tmp"
    old = tmp_path / "parts" / ".c.parquet.4711"  # as older versions named them
    for path in (far, old):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    run(plan, tmp_path)
    assert set((tmp_path / "parts").glob(".*")) == {live, far}
    process.kill()
    process.communicate()
    whole_files.sweep(tmp_path)
    assert list((tmp_path / "parts").glob(".*")) == [far]  # another machine may still be writing it


def test_hidden_files_of_the_user_stay(plan, tmp_path):
    """Only what this program can have written is swept away, and only once the folder is known to be this run's."""
    mine = [tmp_path / ".notes.tmp", tmp_path / ".backup.parquet.gz", tmp_path / "parts" / ".host.1.tmp"]
    draft = tmp_path / ".manifest.json.elsewhere.7.00ff.tmp"
    (tmp_path / "parts").mkdir()
    for path in (*mine, draft):
        path.write_bytes(b"kept")
        os.utime(path, (time.time() - 7200,) * 2)
    run(plan, tmp_path)
    assert all(path.exists() for path in mine) and not draft.exists()
    draft.write_bytes(b"of the run that is there")
    os.utime(draft, (time.time() - 7200,) * 2)
    with pytest.raises(ConfigError, match="another run"):
        run(planned(seed=7), tmp_path)
    assert draft.exists()


# Joining ------------------------------------------------------------------------------------------


def rewritten(path: Path, **more: object) -> None:
    parts.write_part(path, [{**row, **more} for row in read_rows(path).to_pylist()])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"run": "deadbeef0000"}, "its rows are of run deadbeef0000"),
        ({"weights": "deadbeef0000"}, "have weights deadbeef0000 for tiny"),
        ({"settings": "GradCAM(relu=False, score='logit')"}, "are those of GradCAM\\(relu=False"),
        ({"split": "deadbeef0000"}, "of images deadbeef0000"),
        ({"explainer": "none"}, "rows of none are those of"),
    ],
)
def test_merge_joins_rows_of_this_run_only(plan, whole, out, more, message):
    """The message names the file, and what it says ends the trouble."""
    path = parts_of(out)[0]
    rewritten(path, **more)
    with pytest.raises(IncompleteError, match=message) as caught:
        parts.merge(out)
    assert str(path) in str(caught.value) and f"`python -m holicam merge {out} --repair`" in str(caught.value)
    with pytest.raises(IncompleteError, match=f"2 of 8 rows.*`python -m holicam evaluate {out}` comp") as caught:
        parts.merge(out, repair=True)
    assert "bad files" not in str(caught.value) and not path.exists() and (out / "aside" / path.name).exists()
    assert run(plan, out)[0] == 1
    assert same_run(parts.merge(out), whole[1])


def test_a_file_that_repeats_rows_is_named_and_moved(whole, out):
    path = parts_of(out)[0]
    copy = path.with_name("copy of it.parquet")
    copy.write_bytes(path.read_bytes())
    rewritten(copy, value=123.0)
    with pytest.raises(IncompleteError, match=f"2 are there twice.*repeats 2 rows of {path.name}"):
        parts.merge(out)
    assert same_run(parts.merge(out, repair=True), whole[1])
    assert not copy.exists() and path.exists() and (out / "aside" / copy.name).exists()
    path.with_name("other.parquet").write_bytes(path.read_bytes())
    assert same_run(parts.merge(out, repair=True), whole[1])
    (path.parent / copy.name).write_bytes(path.read_bytes())
    parts.merge(out, repair=True)
    assert len(list((out / "aside").iterdir())) == 3  # nothing was destroyed


def test_the_joined_rows_carry_checksums_too(out):
    table, path = parts.merge(out), out / "rows.parquet"
    assert parts.same_rows(read_rows(path), table) and parts.same_rows(pq.read_table(path), table)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"rows.parquet: it cannot be read.*`python -m holicam merge {out}`"):
        report.write(out)
    other = {**json.loads((out / "manifest.json").read_text())}
    parts.merge(out)
    rewritten(path, run="deadbeef0000")
    with pytest.raises(ValueError, match="its rows are of run deadbeef0000, not of " + other["run"]):
        report.write(out)


def test_what_a_run_says_by_default_is_a_warning(plan, out):
    parts_of(out)[0].write_bytes(b"")
    with pytest.warns(UserWarning, match="it is empty; it was moved to"):
        evaluate(plan, out, part=(0, 1))
    assert Heard().said == []
