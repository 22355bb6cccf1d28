"""The packed stream: every input once, batches full, memory bounded, the network left as it was."""

import pytest
import torch

from holicam.core.batched import stream
from tests.helpers.nets import Counting, TinyNet, random_images


def setting(size, per=5):
    """Input number i darkens image i // per, the first image's inputs first."""
    contrast = torch.tensor([6, 0.2, 6, 0.2, 0.2])[:size, None, None, None]  # two top classes
    images = contrast * random_images(size, 3, 8, 10, dtype=torch.float64)
    model = Counting(TinyNet().double())

    def build(numbers):
        owner = numbers // per
        return images[owner] / (1 + numbers % per)[:, None, None, None], owner

    return model, images, build, size * per


def singly(model, images, build, count, target, kind):
    """The same scores, one forward each."""
    out = []
    for i in range(count):
        x, owner = build(torch.tensor([i]))
        logits = model.model(x)[0]
        values = logits.softmax(0) if kind == "prob" else logits
        out.append(float(values[target[int(owner)]]))
    return torch.tensor(out, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["prob", "logit"])
@pytest.mark.parametrize(
    ("size", "chunk"), [(1, 64), (1, 1), (3, 1), (3, 2), (3, 3), (3, 4), (4, 7), (4, 24), (4, 23), (5, 1000)]
)
def test_equals_one_forward_each_in_full_batches(size, chunk, kind):
    model, images, build, count = setting(size)
    with torch.no_grad():
        classes = model.model(images).argmax(1)
        wanted = singly(model, images, build, count, classes, kind)
        clean = model.model(images).log_softmax(1).exp() if kind == "prob" else model.model(images)
    target, first, scores = stream(model, images, build, count, score=kind, chunk=chunk)
    assert torch.equal(target, classes) and len(classes.unique()) == min(size, 2)
    assert (first - clean.gather(1, classes[:, None])[:, 0]).abs().max() < 1e-12
    assert (scores - wanted).abs().max() < 1e-12
    total = size + count
    assert model.batches == [chunk] * (total // chunk) + [total % chunk] * (total % chunk > 0)


@pytest.mark.parametrize("target", [3, [3, 0, 1], torch.tensor([3, 0, 1])])
def test_given_classes(target):
    model, images, build, count = setting(3)
    classes, _, scores = stream(model, images, build, count, target, chunk=4)
    assert classes.tolist() == ([3, 3, 3] if isinstance(target, int) else [3, 0, 1])
    with torch.no_grad():
        wanted = singly(model, images, build, count, classes, "prob")
    assert (scores - wanted).abs().max() < 1e-12


def test_a_callable_sees_packed_rows():
    model, images, build, count = setting(3)

    def margin(values):
        return values[:, 1] - values[:, 2]

    target, first, scores = stream(model, images, build, count, margin, chunk=4, score="logit")
    assert target is margin and first.shape == (3,)
    with torch.no_grad():
        wanted = margin(model.model(build(torch.arange(count))[0]))
    assert (scores - wanted).abs().max() < 1e-12


def test_no_inputs_beside_the_images():
    model, images, build, _ = setting(3)
    _, first, scores = stream(model, images, build, 0)
    assert first.shape == (3,) and scores.shape == (0,) and model.batches == [3]


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_without_the_images_themselves(chunk):
    model, images, build, count = setting(3)
    target, _, wanted = stream(model, images, build, count, chunk=chunk)
    model.batches.clear()
    again, first, scores = stream(model, images, build, count, target, chunk=chunk, clean=False)
    assert torch.equal(again, target) and first.shape == (0,) and sum(model.batches) == count
    assert (scores - wanted).abs().max() < 1e-12
    model.batches.clear()
    _, _, none = stream(model, images, build, 0, target, clean=False)
    assert none.shape == (0,) and none.dtype == torch.float64 and model.batches == []
    with pytest.raises(ValueError, match="target must be given"):
        stream(model, images, build, count, clean=False)


def test_everything_is_left_as_it_was():
    model, images, build, count = setting(2)
    images.requires_grad_(True)
    state = torch.get_rng_state()
    _, _, scores = stream(model, images, build, count)
    assert not scores.requires_grad and torch.is_grad_enabled() and images.grad is None
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_bfloat16_network_scores_in_float32():
    images = random_images(2, 3, 8, 8).bfloat16()
    model = TinyNet().bfloat16()
    _, first, scores = stream(model, images, lambda n: (images[n], n), 2)
    assert first.dtype == scores.dtype == torch.float32 and torch.equal(first, scores)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"chunk": 0}, ValueError, "chunk must be a positive number"),
        ({"chunk": True}, ValueError, "chunk must be a positive number"),
        ({"score": "softmax"}, ValueError, "score must be one of"),
        ({"target": 7}, ValueError, r"target must lie in 0\.\.4"),
        ({"target": [1, 2]}, ValueError, r"expected shape \(3,\), got \(2,\)"),
        ({"target": 1.5}, TypeError, "target must be None"),
        ({"target": lambda values: values.sum()}, ValueError, "one score per image"),
    ],
)
def test_errors(change, kind, says):
    model, images, build, count = setting(3)
    with pytest.raises(kind, match=says):
        stream(model, images, build, count, **change)


def test_training_mode_and_scores_that_are_not_finite():
    model, images, build, count = setting(2)
    with pytest.raises(ValueError, match="training mode"):
        stream(model.train(), images, build, count)
    model.eval()
    with pytest.raises(ValueError, match="scores hold NaN"):
        stream(model, images, lambda n: (build(n)[0] * torch.nan, n // 5), count)
