"""A notebook's first line: repeatable, quiet, silent outside a notebook."""

from __future__ import annotations

import base64
import io
import random
import warnings

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.notebook import stored


@pytest.fixture(autouse=True)
def restored():
    """setup() changes global state on purpose; other tests must not feel it."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    exact = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    with warnings.catch_warnings():
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = exact
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def numbers():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_the_same_seed_gives_the_same_numbers():
    hc.setup(seed=3)
    first = numbers()
    hc.setup(seed=3)
    assert numbers() == first
    hc.setup(seed=4)
    assert numbers() != first


def test_it_is_the_function_however_often_it_is_asked_for():
    import holicam.notebook.plot  # noqa: F401  importing a submodule must not replace the function

    assert hc.setup() is None and hc.setup() is None


def test_threads_and_exact_arithmetic():
    hc.setup(threads=1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.allow_tf32


def test_threads_follow_the_environment(monkeypatch):
    for said, threads in (("2", 2), (None, 1)):
        monkeypatch.setenv("HOLICAM_THREADS", said) if said else monkeypatch.delenv("HOLICAM_THREADS")
        hc.setup()
        assert torch.get_num_threads() == threads
    monkeypatch.setenv("HOLICAM_THREADS", "many")
    with pytest.raises(ValueError, match="threads must be an integer of at least 1; got 'many'"):
        hc.setup()


def test_it_prints_nothing_and_silences_what_readers_cannot_mend(capsys):
    hc.setup()
    with warnings.catch_warnings(record=True) as seen:
        warnings.warn("old name", FutureWarning, stacklevel=1)
        warnings.warn("beware", UserWarning, stacklevel=1)
        warnings.warn("division by zero", RuntimeWarning, stacklevel=1)
    assert [w.category for w in seen] == [RuntimeWarning]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": "0"}, {"threads": 0}])
def test_bad_input_is_named(arguments):
    [name] = arguments
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        hc.setup(**arguments)


def test_a_notebook_stores_figures_at_twice_the_width_they_are_shown_at():
    """Ours and pyplot's, which is imported after `setup`."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    from PIL import Image

    ours = 'import holicam as hc\nhc.setup()\nhc.plot.curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")'
    theirs = "import matplotlib.pyplot as plt\n_ = plt.figure(figsize=(3, 2)).subplots().imshow([[0, 1]])"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (ours, theirs)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    for cell, width, panels in zip(notebook.cells, (680, 300), (0, 1), strict=True):
        [output] = cell.outputs
        raw = base64.b64decode(output.data["image/jpeg"])
        assert output.metadata["image/jpeg"]["width"] == width and Image.open(io.BytesIO(raw)).width == 2 * width
        assert len(stored.panels(raw)) == panels
