"""`make test-portable`: one factor at a time, what lacks is not forced, what is done is not done again."""

import json
import os

import pytest

from tools import ipynb, portable
from tools.portable import SETTINGS, Kept, Result, environment, missing, pytest_result, run_setting, table


def test_one_factor_at_a_time(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")  # the caller's own must not leak into the others
    plain = environment("default")
    assert (plain["OMP_NUM_THREADS"], plain["HOLICAM_THREADS"]) == ("1", "1") and "ONEDNN_MAX_CPU_ISA" not in plain
    for name in SETTINGS:
        differs = {k: v for k, v in environment(name).items() if plain.get(k) != v}
        assert differs == SETTINGS[name][0] and (len(differs) == 1) == ("=" in name and "threads" not in name)
    wanted = {f"ONEDNN_MAX_CPU_ISA={v}" for v in ("SSE41", "AVX2", "AVX512_CORE")}
    assert wanted | {f"ATEN_CPU_CAPABILITY={v}" for v in ("default", "avx2", "avx512")} | {"threads=2"} < set(SETTINGS)


@pytest.mark.parametrize(
    ("level", "machine", "lacks"),
    [
        ("AVX512", "x86_64", []),
        ("AVX2", "AMD64", ["ONEDNN_MAX_CPU_ISA=AVX512_CORE", "ATEN_CPU_CAPABILITY=avx512"]),
        ("DEFAULT", "x86_64", [n for n in SETTINGS if n.endswith(("AVX512_CORE", "512", "AVX2", "avx2"))]),
        ("SVE256", "aarch64", [n for n in SETTINGS if n.startswith("ONEDNN") or n.endswith(("avx2", "avx512"))]),
    ],
)
def test_what_the_processor_lacks(level, machine, lacks):
    assert [name for name in SETTINGS if missing(name, level, machine)] == lacks
    assert len([name for name in portable.FOREIGN if not missing(name, level, machine)]) >= 2


def test_this_processor_is_known():
    level, machine = portable.processor()
    assert machine and not missing("default", level, machine)


def test_a_done_unit_is_not_run_again(tmp_path, monkeypatch):
    asked, told = [], []

    def fake(arguments, env, digest):
        asked.append((*arguments, env["OMP_NUM_THREADS"]))
        if "stop" in arguments:
            raise KeyboardInterrupt
        return Result(3, ("a::b",) if "bad" in arguments else (), 1.5, digest)

    monkeypatch.setattr(portable, "pytest_result", fake)
    units = {"code": ("1", lambda: ["code"]), "01-one": ("2", lambda: ["bad"]), "02-two": ("3", lambda: ["two"])}
    first = run_setting("threads=2", Kept(tmp_path, "threads=2"), units, 2, told.append)
    assert sorted(asked) == [("bad", "2"), ("code", "2"), ("two", "2")] and len(told) == 3
    again = run_setting(
        "threads=2", Kept(tmp_path, "threads=2"), units | {"02-two": ("4", lambda: ["two"])}, 2, told.append
    )
    assert asked[3:] == [("two", "2")] and again["02-two"].digest == "4"
    assert again["code"] == first["code"] and first["01-one"].failed == ("a::b",)
    with pytest.raises(KeyboardInterrupt):
        run_setting(
            "default",
            Kept(tmp_path, "default"),
            {"code": ("1", lambda: ["ok"]), "x": ("1", lambda: ["stop"])},
            1,
            told.append,
        )
    assert set(Kept(tmp_path, "default").results) == {"code"}  # what was done is kept
    (tmp_path / "default.json").write_text('{"code"')
    assert Kept(tmp_path, "default").results == {}


def test_reports_are_read(tmp_path):
    path = tmp_path / "test_three.py"
    path.write_text(
        "import pytest\ndef test_good(): pass\ndef test_bad(): assert 0\n@pytest.mark.skip\ndef test_no(): pass\n"
    )
    env = {**os.environ, "PYTEST_ADDOPTS": ""}
    found = pytest_result([str(path), f"--rootdir={tmp_path}"], env, "d")
    assert (found.passed, found.digest) == (1, "d") and found.failed == ("test_three::test_bad",)
    died = pytest_result(["--no-such-option"], env, "d")
    assert died.passed == 0 and "status 4" in died.failed[0]


def test_digests_follow_what_is_run(tmp_path):
    one, two = sorted(portable.BOOK.glob("0[12]-*.ipynb"))
    found = portable.book_digests([one, two])
    assert list(found) == [one.stem, two.stem] and len({*found.values()}) == 2
    notebook = ipynb.read(one)
    notebook["cells"][0]["source"] = "# Another title"
    texts, code = tmp_path / one.name, tmp_path / two.name
    texts.write_text(ipynb.as_text(notebook))
    ipynb.code_cells(notebook)[0]["source"] = "import holicam"
    code.write_text(ipynb.as_text(notebook))
    assert notebook["cells"][0]["cell_type"] == "markdown"
    again = portable.book_digests([texts, code])
    assert again[one.stem] == found[one.stem] and again[two.stem] != found[one.stem]
    assert portable.code_digest() == portable.code_digest()


def test_the_table(monkeypatch, tmp_path, capsys):
    good, bad = Result(9, (), 2.0, "d"), Result(5, ("tests/test_x::test_y",), 3.0, "d")
    text = table(
        {"default": {"code": good, "01-a": good}, "threads=2": {"code": bad, "01-a": good, "02-b": bad}},
        ["ATEN_CPU_CAPABILITY=avx512: this processor lacks it"],
    )
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["default", "9", "0", "1", "0", "4"] and rows[2] == ["threads=2", "5", "1", "1", "1", "8"]
    assert "ATEN_CPU_CAPABILITY=avx512: this processor lacks it" in text and "threads=2: tests/test_x::test_y" in text
    monkeypatch.setattr(portable, "units_of", lambda *_: {"code": ("d", list)})
    monkeypatch.setattr(portable, "processor", lambda: ("AVX2", "x86_64"))
    monkeypatch.setattr(portable, "OUT", tmp_path)
    for result, status in ((good, 0), (bad, 1)):
        monkeypatch.setattr(portable, "pytest_result", lambda *_, result=result: result)
        for path in tmp_path.glob("*"):
            path.unlink()
        assert portable.main([]) == status
        said = capsys.readouterr().out
        assert "ONEDNN_MAX_CPU_ISA=AVX512_CORE: this processor lacks it" in said
        assert "ATEN_CPU_CAPABILITY=avx2: this processor's own, as in the line default" in said
        assert json.loads((tmp_path / "default.json").read_text())["code"]["passed"] == result.passed
    assert portable.main(["--subset"]) == 1 and not list(tmp_path.glob("*SSE41.json.tmp"))
    assert len(list(tmp_path.glob("*.json"))) == len(SETTINGS) - 3  # the subset keeps nothing


def test_all_tests_of_the_rooms_and_none_of_texts():
    """What is left out is of pages and tools alone: every room's folder stays, and so does whatever else there is."""
    _, arguments = portable.units_of(["code"], False, 1)["code"]
    left_out = [a.partition("=")[2] for a in arguments() if a.startswith("--ignore=")]
    assert arguments()[0] == "tests" and tuple(left_out) == portable.OF_TEXTS
    folders = {str(path.parent.relative_to(portable.ROOT)) for path in (portable.ROOT / "tests").rglob("test_*.py")}
    rooms = {path.name for path in (portable.ROOT / "holicam").iterdir() if (path / "__init__.py").exists()}
    kept = {folder for folder in folders if not folder.startswith(tuple(left_out))}
    assert {f"tests/{room}" for room in rooms} <= kept


def test_digests_change_with_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "ROOT", tmp_path)
    (tmp_path / "holicam" / "__pycache__").mkdir(parents=True)
    code = tmp_path / "holicam" / "ops.py"
    code.write_text("x = 1\n")
    was = portable.code_digest()
    (tmp_path / "holicam" / "__pycache__" / "ops.pyc").write_text("")
    assert portable.code_digest() == was
    text = tmp_path / "tests" / "book" / "test_page.py"
    text.parent.mkdir(parents=True)
    text.write_text("")
    assert portable.code_digest() == was  # it is not run
    code.write_text("x = 2\n")
    assert portable.code_digest() != was


def test_the_subset_exists():
    assert all((portable.ROOT / name).exists() for name in portable.RUNNER)
    assert len(portable.FRAGILE) == len([p for p in portable.BOOK.glob("*.ipynb") if p.name[:2] in portable.FRAGILE])
