"""What a check says to nothing, to wrong answers, to nonsense and to the solution; and that a trial can fail."""

import numpy as np
import pytest
import torch

from holicam.notebook.exercises import close, exercise


@exercise
def check_triple(answer):
    """Three numbers."""
    close(answer, (1.0, 2.0, 3.0), 0.01, "the triple")
    return "they rise"


@pytest.mark.parametrize(
    "answer, said",
    [
        (None, "not yet"),
        (..., "not yet"),
        ((1, 2, 3), "right: they rise"),
        ([1, 2, 3.005], "right: they rise"),
        (torch.tensor([1, 2, 3]), "right: they rise"),
        (np.array([1.0, 2, 3]), "right: they rise"),
        ((1, 2.5, 3), "off: the triple, number 1 counted from 0, is too large"),
        ((1, 2), "off: the triple must be 3 numbers; it is 2 numbers"),
        ((1, float("nan"), 3), "off: the triple, number 1 counted from 0, is not a number (NaN)"),
        (7, "off: the triple must be 3 numbers; it is one number"),
        ("abc", "off: the triple must be 3 numbers; it is of type str"),
    ],
)
def test_what_is_said(answer, said):
    assert check_triple.say(answer) == said
    assert check_triple.__doc__ == "Three numbers."


def test_a_call_prints_the_verdict_and_returns_nothing(capsys):
    assert check_triple((1, 2, 4)) is None
    assert capsys.readouterr().out == "off: the triple, number 2 counted from 0, is too large\n"


def test_a_check_that_fails_on_an_answer_says_so():
    @exercise
    def check(answer):
        assert answer(2) == 4, "two squared is four"

    assert check.say(5) == (
        "off: an answer of type int could not be checked "
        "(TypeError: 'int' object is not callable); has it the form that is asked for?"
    )
    assert check.say(lambda x: x + x) == "right" and check.say(lambda x: 3 * x) == "off: two squared is four"


@pytest.mark.parametrize(
    "answer, truth, said",
    [
        ({"a": 1}, {"a": 1.0, "b": 2.0}, "x has no entry 'b'; wanted are 'a', 'b'"),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1.0, "b": 2.0}, "x has an entry 'c' too many; wanted are 'a', 'b'"),
        ({"a": 1, "b": 3}, {"a": 1.0, "b": 2.0}, "x for 'b' is too large"),
        ([1, 2], {"a": 1.0}, "x must be a dictionary; it is a list of 2"),
        (torch.zeros(2, 3), torch.zeros(3, 2), "x must be a tensor of shape (3, 2); it is a tensor of shape (2, 3)"),
        (torch.eye(2), torch.zeros(2, 2), "x at [0, 0] is too large"),
        (True, 1.0, "x must be a number; it is of type bool"),
        (-1, 1.0, "x is too small"),
    ],
)
def test_close_says_what_is_off(answer, truth, said):
    with pytest.raises(AssertionError) as caught:
        close(answer, truth, 0.1, "x")
    assert str(caught.value) == said


def test_close_takes_what_agrees():
    close({"a": [1, 2], "b": torch.tensor(3.0)}, {"a": (1.0, 2.05), "b": 3}, 0.1)


def test_a_trial_of_a_sound_check(capsys):
    check_triple.trial((1, 2, 3), (1, 2, 4), (0, 0, 0))
    assert capsys.readouterr().out == "tried: nothing, 2 wrong answers, the solution\n"


@pytest.mark.parametrize(
    "solution, wrong, said",
    [
        ((1, 2, 3), [(0, 0, 0)], "two are needed"),
        ((1, 2, 3), [(0, 0, 0), (1, 2, 3)], "says 'right"),
        ((1, 2, 4), [(0, 0, 0), (9, 9, 9)], "to the solution"),
    ],
)
def test_a_trial_finds_what_is_wrong(solution, wrong, said):
    with pytest.raises(AssertionError, match=said):
        check_triple.trial(solution, *wrong)


def test_a_trial_refuses_a_check_that_does_not_say_what_is_off():
    @exercise
    def silent(answer):
        if answer != 1:
            raise AssertionError

    with pytest.raises(AssertionError, match="silent says 'off'"):
        silent.trial(1, 2, 3)

    @exercise
    def brittle(answer):
        assert answer + 1 == 2, "one more is not two"

    with pytest.raises(AssertionError, match="brittle cannot read 'a'"):
        brittle.trial(1, 2, "a")
