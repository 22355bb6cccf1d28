"""Sets of studies are looked at again like others; public photographs answer for those that are not here."""

from __future__ import annotations

import json

import pytest

from holicam.experiments.made_by import makers, stamp
from holicam.experiments.part_file import encode, read_rows
from holicam.experiments.results import other_code, read
from tools import restamp
from tools.study import made, sets, worlds


def begin(world):
    return lambda picture, p: {("pixels", "", "mean"): float(picture.x.mean())}


STUDY = made.Study("structure", {"pixels": "their mean"}, begin, ("mean",), ("structure",))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Three sets of one small world, made by code that is not today's; photographs need a folder."""
    world = worlds.drawings(size=32, n=3)
    monkeypatch.setattr(sets, "study_of", lambda name: STUDY)
    monkeypatch.setattr(worlds, "world_of", lambda name, photos=None: world)
    monkeypatch.setattr(restamp, "FOLDER", tmp_path)
    for name in ("toyland", "samples", "photographs"):
        made.run(STUDY, world, 2, tmp_path / "runs" / name, tmp_path / f"structure-{name}")
        age(tmp_path, name)
    return tmp_path


def age(folder, name, was: str = "0" * 12):
    path = folder / f"structure-{name}.json"
    manifest = json.loads(path.read_text())
    manifest["code"]["files"]["core/ops.py"] = manifest["code"]["formulas"]["structure"] = was
    path.write_text(json.dumps(manifest))


def spoil(folder, name):
    """One value that is another by a thousandth."""
    path = folder / f"structure-{name}.parquet"
    table = read_rows(path)
    values = [value + 1e-3 for value in table["value"].to_pylist()]
    place = table.column_names.index("value")
    import pyarrow as pa

    path.write_bytes(encode(table.set_column(place, "value", pa.array(values))))


@pytest.mark.parametrize("name", ["toyland", "samples"])
def test_a_set_is_stamped_where_its_first_picture_holds(small, name):
    set_ = f"structure-{name}"
    assert restamp.changed(set_)
    assert restamp.one(set_, 1, 1e-6) == 0
    code = read(set_, small)["code"]
    assert code["hash"] == stamp(makers())["hash"] and code["made"] and "asked" not in code
    assert not other_code(set_, read(set_, small)) and not restamp.changed(set_)
    age(small, name)
    spoil(small, name)
    before = (small / f"{set_}.json").read_bytes()
    assert restamp.one(set_, 1, 1e-6) == 1 and (small / f"{set_}.json").read_bytes() == before


def test_a_formula_that_changed_is_noticed(small):
    restamp.one("structure-toyland", 1, 1e-6)
    manifest = read("structure-toyland", small)
    assert sets.other_formulas("structure-toyland", manifest) == []
    manifest["code"]["formulas"]["worlds"] = "0" * 12
    assert sets.other_formulas("structure-toyland", manifest) == ["worlds"]
    assert sets.other_formulas("chapter22", manifest) == []


def test_public_photographs_answer_for_others(small):
    assert restamp.one("structure-photographs", 1, 1e-6) == 0
    assert read("structure-photographs", small)["code"]["asked"] == "structure-samples"
    age(small, "photographs")
    spoil(small, "samples")
    assert restamp.one("structure-photographs", 1, 1e-6) == 1
    assert restamp.one("structure-photographs", 1, 1e-6, small) == 0  # with their folder they are asked themselves
    assert "asked" not in read("structure-photographs", small)["code"]


def test_only_rows_of_the_same_code_can_answer(small, capsys):
    age(small, "samples", "1" * 12)
    assert restamp.one("structure-photographs", 1, 1e-6) == 1
    assert "structure-samples is of other code than its rows (core/ops.py, structure)" in capsys.readouterr().out
    (small / "structure-samples.json").unlink()
    assert restamp.one("structure-photographs", 1, 1e-6) == 1
    assert "structure-samples, which could answer for them, is not stored: give --photos" in capsys.readouterr().out


def test_photographs_that_are_others_are_refused(small):
    with pytest.raises(ValueError, match="none of the 1 pictures of structure-photographs is in"):
        list(sets.again("structure-photographs", {"n01440764_tench.jpg"}, small))
