"""The public photographs as a data set: what the samples say, through the steps of any other set."""

import pytest

import holicam as hc
from holicam.datasets import Dataset, load, public

SAMPLES = hc.photos.samples()


@pytest.fixture(scope="module")
def data():
    return load("samples").for_network("efficientnet-lite0")


def test_it_has_every_sample_under_its_name(data):
    assert data.ids == tuple(SAMPLES) and len(data) >= 8
    assert len(data.classes) == 1000 and data.name == "samples"


def test_labels_outlines_and_boxes_are_those_of_the_samples(data):
    for name, sample in SAMPLES.items():
        item = data.select([name])[0]
        assert item.image.shape == (3, 224, 224) and item.size == tuple(sample.picture.shape[:2])
        if sample.label is None:
            assert item.targets == () and item.masks is None
            continue
        assert item.targets == (sample.label,) and len(item.boxes) == 1
        share = item.region(sample.label).float().mean()
        assert 0.01 < share < 1, name


def test_an_outline_keeps_its_share_where_nothing_is_cut_off():
    square = SAMPLES["photographer"]
    item = load("samples", "ucag").select(["photographer"])[0]  # squashed, not cropped
    assert abs(item.region(square.label).float().mean() - square.mask.float().mean()) < 0.01


def test_pictures_are_prepared_as_one_by_one_up_to_grey_levels(data):
    _, x = hc.photos.prepare(SAMPLES["cat"].picture, "efficientnet-lite0")
    assert (data.select(["cat"])[0].image - x[0]).abs().mean() < 0.005  # a grey level is 0.008


def test_what_is_missing_is_said_when_the_set_is_loaded(monkeypatch):
    def missing():
        raise hc.datasets.MissingDataError("the photograph is not there")

    monkeypatch.setattr(public, "samples", missing)
    with pytest.raises(FileNotFoundError, match="is not there"):
        load("samples")


def test_it_is_public_under_its_reader_s_name():
    assert isinstance(hc.datasets.public_samples("std"), Dataset)


def test_it_goes_to_other_processes(data):
    import pickle

    again = pickle.loads(pickle.dumps(data))
    assert (again[0].image == data[0].image).all() and again.read.place("cat") == "the sample 'cat'"
