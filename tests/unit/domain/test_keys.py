"""Object names stay below their task's prefix, and links to them come apart as they were put together."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.envelope import check_id, clean_prefix
from domain.keys import OutputKeys, s3_uri, split_s3_uri
from domain.routing import Runtimes

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True)
FENCES = st.from_regex(r"[0-9a-f]{4}", fullmatch=True)


@given(prefix=st.text(min_size=1, max_size=60), task_id=IDS, fence=FENCES, number=st.integers(1, 9999))
def test_keys_never_leave_their_prefix(prefix: str, task_id: str, fence: str, number: int) -> None:
    """Whatever prefix and id were accepted."""
    clean, faults, _ = clean_prefix(prefix, task_id, "/prefix")
    assume(not faults and not check_id(task_id, "/id"))
    keys = OutputKeys(clean, task_id)
    for key in (keys.image(fence, number, "webm"), keys.companion(fence, "grid", 1, "png"), keys.out(fence)):
        assert key.startswith(f"{clean}/{task_id}/")
        assert not {"", ".", ".."} & set(key.split("/"))
        assert len(key.encode()) <= 1024
        assert keys.wrote(fence, key)


@given(bucket=st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True), key=st.text(min_size=1))
def test_links_round_trip(bucket: str, key: str) -> None:
    """Also with slashes, blanks and colons in the key."""
    assert split_s3_uri(s3_uri(bucket, key)) == (bucket, key)


@given(link=st.text())
def test_what_is_no_link_is_told_so(link: str) -> None:
    """By ValueError, and no other way."""
    try:
        bucket, key = split_s3_uri(link)
    except ValueError:
        return
    assert bucket
    assert key


@given(text=st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_runtimes_are_read_or_refused(text: str) -> None:
    """Nobody but us writes them: anything else ends the function at its start, by one of these."""
    try:
        runtimes = Runtimes.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    assert runtimes.names == []


@pytest.mark.parametrize("prefix", ["../up", "a//b", "/", "/..", "a/./b", "a\nb", "", "a//"])
def test_prefixes_that_would_are_refused(prefix: str) -> None:
    """One trailing slash is forgiven, no more."""
    assert clean_prefix(prefix, "t", "/prefix").faults
