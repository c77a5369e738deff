"""What a task may say about the files that it gets."""

from typing import Any

import pytest

from domain.message import Message
from domain.output import OutputOptions, check_output
from domain.task import Task

WRONG: list[tuple[Any, list[str]]] = [
    ("jpeg", [""]),
    (["jpeg"], [""]),
    ({"format": "jpg"}, ["/format"]),
    ({"format": ["jpeg"]}, ["/format"]),
    ({"format": "JPEG"}, ["/format"]),
    ({"quality": 80}, ["/quality"]),
    ({"format": "png", "quality": 80}, ["/quality"]),
    ({"format": "jpeg", "quality": 0}, ["/quality"]),
    ({"format": "jpeg", "quality": 101}, ["/quality"]),
    ({"format": "jpeg", "quality": "80"}, ["/quality"]),
    ({"format": "jpeg", "quality": 80.0}, ["/quality"]),
    ({"format": "jpeg", "quality": True}, ["/quality"]),
    ({"metadata": "none"}, ["/metadata"]),
    ({"metadata": False}, ["/metadata"]),
    ({"format": "gif", "metadata": 1, "size/x": 5}, ["/size~1x", "/format", "/metadata"]),
]


def _task(output: Any) -> Task:
    options, faults = check_output(output, "")
    assert not faults
    return Task("a", "r", "text-to-image", "output", None, {"prompt": "x"}, "v1alpha2", output=options)


@pytest.mark.parametrize(("value", "paths"), WRONG, ids=str)
def test_each_wrong_option_is_named(value: Any, paths: list[str]) -> None:
    options, faults = check_output(value, "/task/metadata/output")
    assert options is None
    assert [fault.path for fault in faults] == [f"/task/metadata/output{path}" for path in paths]


@pytest.mark.parametrize("value", [None, {}, {"metadata": "keep"}, {"format": None, "quality": None}])
def test_options_that_change_nothing_are_as_good_as_none(value: Any) -> None:
    assert check_output(value, "") == (None, [])
    assert _task(value).digest == _task(None).digest


def test_options_are_part_of_the_digest() -> None:
    options: list[Any] = [
        None,
        {"format": "jpeg"},
        {"format": "jpeg", "quality": 80},
        {"format": "webp", "metadata": "strip"},
        {"metadata": "strip"},
    ]
    assert len({_task(each).digest for each in options}) == len(options)
    assert _task({"format": "png"}).digest == _task({"metadata": "keep", "format": "png"}).digest


def test_the_message_carries_the_options() -> None:
    task = _task({"format": "webp", "quality": 90, "metadata": "strip"})
    message = Message(task, "f0", "2026-11-22T12:00:00.000Z")
    assert Message.decode(message.encode()).task.output == OutputOptions("webp", 90, strip=True)
