"""Object keys stay below the prefix of their task, and links to objects can be parsed."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.envelope import clean_prefix, id_faults
from domain.keys import OutputKeys, s3_uri, split_s3_uri
from domain.routing import Runtimes

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True)
SEGMENTS = st.text(
    st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="/\\"), min_size=1, max_size=9
)
PREFIXES = st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join) | st.text(min_size=1, max_size=60)
"""Most of them are accepted, so that hypothesis does not spend its time on refused ones."""

FENCES = st.from_regex(r"[0-9a-f]{4}", fullmatch=True)


@given(prefix=PREFIXES, task_id=IDS, fence=FENCES, number=st.integers(1, 9999))
def test_keys_stay_below_the_prefix_of_their_task(prefix: str, task_id: str, fence: str, number: int) -> None:
    clean, faults, _ = clean_prefix(prefix, task_id, "/prefix")
    assume(not faults and not id_faults(task_id, "/id"))
    keys = OutputKeys(clean, task_id)
    for key in (
        keys.image(fence, number, "webm"),
        keys.other_image(fence, "grid", 1, "png"),
        keys.output_document(fence),
    ):
        assert key.startswith(f"{clean}/{task_id}/")
        assert not {"", ".", ".."} & set(key.split("/"))
        assert len(key.encode()) <= 1024
        assert keys.could_have_written(fence, key)


@given(bucket=st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True), key=st.text(min_size=1))
def test_s3_links_round_trip(bucket: str, key: str) -> None:
    assert split_s3_uri(s3_uri(bucket, key)) == (bucket, key)


@given(link=st.text())
def test_a_text_that_is_no_s3_link_raises_only_value_error(link: str) -> None:
    try:
        bucket, key = split_s3_uri(link)
    except ValueError:
        return
    assert bucket
    assert key


@given(text=st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_invalid_json_of_runtimes_raises_only_known_errors(text: str) -> None:
    try:
        runtimes = Runtimes.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    assert runtimes.names == []


@pytest.mark.parametrize("prefix", ["../up", "a//b", "/", "/..", "a/./b", "a\nb", "", "a//"])
def test_a_prefix_that_leaves_its_folder_is_refused(prefix: str) -> None:
    assert clean_prefix(prefix, "t", "/prefix").faults
