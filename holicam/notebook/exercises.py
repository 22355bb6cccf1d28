"""Exercises that check the reader's answer and nothing else.

A check is a function of the answer. It asserts what must hold, each assertion with a message that says
what is off, and may return a remark for whoever is right. `trial` is the check of the check: it stands
beside the solution, folded, and tries nothing, wrong answers and the solution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TypeGuard

import torch
from torch import Tensor


class exercise:  # in small letters: it is used as a decorator
    """Makes an exercise of a check.

        @hc.exercise
        def check_area(answer):
            hc.exercises.close(answer, 12.5, 0.1, "the area")

        check_area(area)        # prints "not yet", "off: the area is too large", or "right"

    A check asserts; it may return a remark, which is printed behind "right". `None` and `...` as an answer
    are "not yet". Where the check itself fails on an answer, a text for a number, that is said in a sentence.
    """

    def __init__(self, check: Callable[[object], str | None]):
        self.check = check
        self.__name__, self.__doc__ = check.__name__, check.__doc__

    def __call__(self, answer: object) -> None:
        print(self.say(answer))

    def say(self, answer: object) -> str:
        """The verdict: "not yet", "off: ..." or "right"."""
        if answer is None or answer is Ellipsis:
            return "not yet"
        try:
            remark = self.check(answer)
        except AssertionError as error:
            return ("off: " + str(error).partition("\n")[0]).rstrip(": ")  # pytest adds lines of its own
        except Exception as error:  # whatever the reader has put in
            return (
                f"off: an answer of type {type(answer).__name__} could not be checked "
                f"({type(error).__name__}: {error}); has it the form that is asked for?"
            )
        return f"right: {remark}" if remark else "right"

    def trial(self, solution: object, *wrong: object) -> None:
        """Try the check with nothing, with at least two wrong answers, and with the solution.

        Raises AssertionError where the check takes a wrong answer, does not say what is off, or refuses
        the solution.
        """
        assert len(wrong) >= 2, f"{self.__name__} is tried with {len(wrong)} wrong answers; two are needed"
        said = self.say(None)
        assert said == "not yet", f"{self.__name__} says {said!r} to no answer"
        for answer in wrong:
            said = self.say(answer)
            assert said.startswith("off: ") and len(said) > 15, f"{self.__name__} says {said!r} to {answer!r}"
            assert "could not be checked" not in said, f"{self.__name__} cannot read {answer!r}: {said}"
        said = self.say(solution)
        assert said.startswith("right"), f"{self.__name__} says {said!r} to the solution"
        print(f"tried: nothing, {len(wrong)} wrong answers, the solution")


def close(answer: object, truth: object, within: float, what: str = "the answer") -> None:
    """Assert that numbers agree; the message says which is off, and in which direction.

    answer, truth: numbers, sequences of numbers, tensors, or mappings from the same keys to these. within:
    the largest difference allowed. what: names the number in the message. Raises AssertionError.
    """
    if isinstance(truth, Mapping):
        assert isinstance(answer, Mapping), f"{what} must be a dictionary; it is {_kind(answer)}"
        for key in truth:
            assert key in answer, f"{what} has no entry {key!r}; wanted are {', '.join(map(repr, truth))}"
            close(answer[key], truth[key], within, f"{what} for {key!r}")
        for key in answer:
            assert key in truth, f"{what} has an entry {key!r} too many; wanted are {', '.join(map(repr, truth))}"
        return
    if not _is_number(truth):
        truth = torch.as_tensor(truth).detach().cpu().double()
        try:
            given = torch.as_tensor(answer).detach().cpu().double()
        except (TypeError, ValueError, RuntimeError):
            raise AssertionError(f"{what} must be {_shape(truth)}; it is {_kind(answer)}") from None
        assert given.shape == truth.shape, f"{what} must be {_shape(truth)}; it is {_shape(given)}"
        for place in (truth - given).abs().gt(within).logical_or(given.isnan() & ~truth.isnan()).nonzero()[:1].tolist():
            at = ", ".join(str(n) for n in place)
            close(
                given[tuple(place)].item(),
                truth[tuple(place)].item(),
                within,
                f"{what}, number {at} counted from 0," if truth.dim() < 2 else f"{what} at [{at}]",
            )
        return
    answer = answer.item() if isinstance(answer, Tensor) and answer.numel() == 1 else answer
    assert _is_number(answer), f"{what} must be a number; it is {_kind(answer)}"
    assert answer == answer, f"{what} is not a number (NaN)"
    assert abs(answer - truth) <= within, f"{what} is too {'large' if answer > truth else 'small'}"


def _is_number(value: object) -> TypeGuard[float]:
    return (isinstance(value, Real) or getattr(value, "shape", None) == ()) and not isinstance(value, bool)


def _shape(numbers: Tensor) -> str:
    if numbers.dim() == 0:
        return "one number"
    return f"{len(numbers)} numbers" if numbers.dim() == 1 else f"a tensor of shape {tuple(numbers.shape)}"


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a {type(value).__name__} of {len(value)}"
    return f"of type {type(value).__name__}"
