"""Errors of requests and tasks have a bounded size."""

import json

import pytest

from domain.errors import (
    ErrorCode,
    Fault,
    InvalidTask,
    bounded_faults,
    outcome_error,
    raise_if_any,
    shorten_error,
    shortened,
)
from domain.limits import MAX_ERROR_LENGTH, MAX_FAULTS, MAX_PATH_LENGTH, MAX_TEXT_LENGTH


def test_of_very_many_errors_the_first_are_listed_and_the_others_are_counted() -> None:
    faults = [Fault(f"/{index}", "wrong") for index in range(5000)]

    with pytest.raises(InvalidTask) as raised:
        raise_if_any(faults)

    listed_faults = raised.value.faults
    assert [fault.path for fault in listed_faults[:MAX_FAULTS]] == [
        f"/{index}" for index in range(MAX_FAULTS)
    ]
    assert listed_faults[MAX_FAULTS:] == (Fault("", "and 4900 more", count=4900),)
    assert raised.value.message == "The task has 5000 faults."


def test_errors_that_were_already_shortened_are_counted_once() -> None:
    bounded_twice = bounded_faults(
        [*bounded_faults([Fault("/a", "x")] * 150), *bounded_faults([Fault("/b", "y")] * 150)]
    )

    assert sum(fault.count for fault in bounded_twice) == 300
    assert bounded_twice[-1].message == "and 200 more"


def test_the_code_of_a_refusal_is_that_of_its_errors() -> None:
    with pytest.raises(InvalidTask) as raised:
        raise_if_any([Fault("/a", "x", ErrorCode.UNKNOWN_MODEL)] * 500)
    with pytest.raises(InvalidTask) as mixed:
        raise_if_any([Fault("/a", "x", ErrorCode.UNKNOWN_MODEL)] * 500 + [Fault("/b", "y")])

    assert raised.value.code is ErrorCode.UNKNOWN_MODEL
    assert mixed.value.code is ErrorCode.INVALID_TASK


def test_a_long_path_keeps_its_beginning_and_its_end() -> None:
    [fault] = bounded_faults([Fault("/head/" + "k" * 10_000 + "/tail", "m" * 10_000)])

    assert len(fault.path) == MAX_PATH_LENGTH
    assert fault.path.startswith("/head/")
    assert fault.path.endswith("/tail")
    assert len(fault.message) == MAX_TEXT_LENGTH


def test_the_largest_refusal_is_below_a_mebibyte() -> None:
    faults = [Fault("/" + "\U0001f600" * 10_000, "\U0001f600" * 10_000)] * 100_000
    error = InvalidTask("\U0001f600" * 10_000, faults=faults)

    text = json.dumps([error.message, *(fault.as_dict() for fault in error.faults)])
    assert len(text) < 1 << 20


def test_only_a_long_error_of_an_outcome_is_shortened() -> None:
    assert outcome_error(ErrorCode.NO_IMAGES, "None came.") == {"code": "no_images", "message": "None came."}
    assert len(outcome_error(ErrorCode.NO_IMAGES, "x" * 5000)["message"]) == MAX_ERROR_LENGTH
    assert len(shorten_error({"code": "c", "message": "x" * 5000})["message"]) == MAX_ERROR_LENGTH
    assert shortened("x" * 10, 10) == "x" * 10
