"""Parsing and checking a request's body, with errors that say how to correct it."""

import json
import tracemalloc

import pytest

from domain.body import check_values, load_json, parse_body, pointer
from domain.errors import ErrorCode, InvalidTask
from domain.limits import MAX_BODY_BYTES, MAX_NAME_LENGTH, MAX_NESTING


def parse_error(raw: bytes) -> InvalidTask:
    """Return the error for a body."""
    with pytest.raises(InvalidTask) as raised:
        parse_body(raw)
    return raised.value


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": "test-i2i", // the task\'s id\n "a": 1}',
        b'{"id": "test-i2i" // last\n}',
        b'{ // first\n"a": 1}',
        b'{"a": 1 /* so */}',
        b'{"a": [1, # so\n 2]}',
        b'// before\n{"a": 1}',
        b'{"a": 1} // after',
    ],
)
def test_comments_in_json_get_a_hint(raw: bytes) -> None:
    """The examples in the manual of AWS's Guidance contain comments."""
    message = parse_error(raw).faults[0].message

    assert "comments are not part of JSON" in message
    assert message.startswith("line ")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[1]", "object"),
        (b"null", "object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1,}', "comma"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b"\xff\xfe{}", "UTF-8"),
        (b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested"),
        (b'{"a": "http://x" "b": 1}', "delimiter"),
    ],
)
def test_the_error_for_invalid_json_says_what_is_wrong(raw: bytes, expected: str) -> None:
    error = parse_error(raw)

    assert (error.status, error.code) == (400, ErrorCode.INVALID_JSON)
    assert expected in error.faults[0].message


def test_numbers_that_json_does_not_allow_are_reported_with_their_pointers() -> None:
    raw = b'{"task": {"content": {"s_tmax": Infinity, "a/b": [1, NaN, {"c": -Infinity}], "d": 1e999}}}'
    error = parse_error(raw)

    assert error.code is ErrorCode.INVALID_JSON
    assert {fault.path: fault.message.partition(";")[0] for fault in error.faults} == {
        "/task/content/s_tmax": "Infinity is not JSON",
        "/task/content/a~1b/1": "NaN is not JSON",
        "/task/content/a~1b/2/c": "-Infinity is not JSON",
        "/task/content/d": "1e999 is too large",
    }


@pytest.mark.parametrize("raw", [b"NaN", b"[Infinity]", b'{"a": [' + b"NaN," * 1000 + b"1]}"])
def test_the_response_for_many_numbers_that_json_does_not_allow_is_bounded(raw: bytes) -> None:
    assert 1 <= len(parse_error(raw).faults) <= 20


def test_a_body_beyond_the_limit_is_413_and_the_error_names_an_alternative() -> None:
    error = parse_error(b" " * (MAX_BODY_BYTES + 1))

    assert (error.status, error.code) == (413, ErrorCode.TOO_LARGE)


@pytest.mark.parametrize(
    ("text", "path"), [('{"a/b": ["\\ud800"]}', "/a~1b/0"), ('{"x": {"\\udfff": 1}}', "/x")]
)
def test_half_a_surrogate_pair_is_refused_with_its_pointer(text: str, path: str) -> None:
    assert parse_error(text.encode()).faults[0].path == path


def test_nesting_is_refused_beyond_the_limit_with_a_pointer() -> None:
    deep: object = 1
    for _ in range(MAX_NESTING - 1):
        deep = [deep]

    assert parse_body(json.dumps({"a": deep}).encode())
    with pytest.raises(InvalidTask) as raised:
        check_values({"a": [deep]})
    assert raised.value.faults[0].path.startswith("/a/0/0")


def test_a_json_pointer_escapes_its_special_characters() -> None:
    assert pointer("a/b~c") == "a~1b~0c"


@pytest.mark.parametrize("unit", ["[]", "{}", '{"":0}', "0"])
def test_a_body_with_too_many_values_is_refused_before_it_is_parsed(unit: str) -> None:
    raw = f'{{"a": [{",".join([unit] * 100_001)}]}}'.encode()
    tracemalloc.start()
    error = parse_error(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (error.status, error.code) == (413, ErrorCode.TOO_LARGE)
    assert "more than 100000 values" in error.message
    assert peak < 4 * len(raw)


def test_checking_takes_no_memory_that_grows_with_keys_times_values() -> None:
    value = {"k" * MAX_NAME_LENGTH: [{"k" * MAX_NAME_LENGTH: [0] * 40_000}]}
    tracemalloc.start()
    check_values(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 50_000


def test_the_length_of_a_field_name_is_limited() -> None:
    assert parse_body(json.dumps({"a": {"k" * MAX_NAME_LENGTH: 1}}).encode())
    [fault] = parse_error(json.dumps({"a": {"k" * (MAX_NAME_LENGTH + 1): 1}}).encode()).faults

    assert fault.path.startswith("/a/kkk")
    assert "256 characters" in fault.message


def test_an_accepted_body_can_also_be_sent_in_a_message() -> None:
    values = [0] * 99_998
    body = parse_body(json.dumps({"a": values}).encode())

    assert load_json(json.dumps({"metadata": {str(number): number for number in range(20)}, "content": body}))
