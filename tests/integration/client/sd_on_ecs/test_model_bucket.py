"""Uploads of models to S3: resumed, checked, and never half stored."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.emulator import Emulator
from sd_on_ecs.errors import InputError, Unreachable
from sd_on_ecs.model_bucket import PART_BYTES, ModelBucket
from sd_on_ecs.model_sources import open_source
from tests.support.flaky_server import FlakyServer

CONTENT = secrets.token_bytes(1024) * (2 * PART_BYTES // 1024) + b"the end"


class Interrupted(Exception):
    pass


@pytest.fixture
def s3(aws: Emulator) -> Any:
    return aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"models-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=name)
    return name


def stored(s3: Any, bucket: str, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def interrupted_after(parts: int) -> Iterator[bytes]:
    yield CONTENT[: parts * PART_BYTES]
    raise Interrupted


def test_an_interrupted_upload_goes_on_with_the_parts_that_it_lacks(s3: Any, bucket: str) -> None:
    target = ModelBucket(s3, bucket)
    with pytest.raises(Interrupted):
        target.upload("Lora/a.safetensors", interrupted_after(1))
    assert target.size("Lora/a.safetensors") is None
    progress: list[int] = []
    done = target.upload("Lora/a.safetensors", iter([CONTENT]), on_progress=progress.append)
    assert done.skipped_bytes == PART_BYTES
    assert (done.bytes, sum(progress)) == (len(CONTENT), len(CONTENT))
    assert stored(s3, bucket, "Lora/a.safetensors") == CONTENT
    assert done.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_part_that_has_changed_since_is_sent_again(s3: Any, bucket: str) -> None:
    target = ModelBucket(s3, bucket)
    with pytest.raises(Interrupted):
        target.upload("VAE/a.pt", interrupted_after(2))
    changed = b"another" + CONTENT[7:]
    assert target.upload("VAE/a.pt", iter([changed])).skipped_bytes == PART_BYTES
    assert stored(s3, bucket, "VAE/a.pt") == changed


def test_content_with_another_sha_256_is_not_stored_and_leaves_no_parts(s3: Any, bucket: str) -> None:
    target = ModelBucket(s3, bucket)
    with pytest.raises(InputError, match=r"has the SHA-256 .* and not 00ff"):
        target.upload("Lora/a.pt", iter([b"weights"]), sha256="00ff")
    assert target.size("Lora/a.pt") is None
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"  <!doctype html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_model_is_not_stored(s3: Any, bucket: str, content: bytes, reason: str) -> None:
    target = ModelBucket(s3, bucket)
    with pytest.raises(InputError, match=reason):
        target.upload("Lora/a.pt", iter([content] if content else []))
    assert list(target.list()) == []


def test_models_are_listed_by_folder(s3: Any, bucket: str) -> None:
    target = ModelBucket(s3, bucket)
    for key in ("Lora/sub/a.pt", "Lora/b.pt", "VAE/c.pt", "no-folder"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"12")
    assert [(one["folder"], one["name"], one["bytes"]) for one in target.list("Lora")] == [
        ("Lora", "b.pt", 2),
        ("Lora", "sub/a.pt", 2),
    ]
    assert len(list(target.list())) == 3


@pytest.mark.parametrize("ranges", [True, False])
def test_a_link_is_read_on_where_its_connection_was_lost(
    flaky: Callable[..., FlakyServer], *, ranges: bool
) -> None:
    server = flaky(content=CONTENT[: 5 << 20], lose_connection_after=3 << 20, times=2, ranges=ranges)
    with open_source(f"{server.url}/a%20b.safetensors?token=x", {}) as source:
        assert (source.name, source.size) == ("a b.safetensors", 5 << 20)
        assert b"".join(source.chunks) == CONTENT[: 5 << 20]


def test_a_file_that_changes_while_it_is_read_is_refused(flaky: Callable[..., FlakyServer]) -> None:
    server = flaky(content=CONTENT[: 5 << 20], lose_connection_after=3 << 20, times=2, changes=True)
    with open_source(f"{server.url}/a.pt", {}) as source, pytest.raises(InputError, match="has changed"):
        b"".join(source.chunks)


def test_a_link_that_wants_a_login_says_how_to_give_one(flaky: Callable[..., FlakyServer]) -> None:
    server = flaky(content=b"weights", wanted_authorization="Bearer token")
    with pytest.raises(InputError, match=r"401 .*--header"), open_source(f"{server.url}/a.pt", {}):
        pass
    with open_source(f"{server.url}/a.pt", {"Authorization": "Bearer token"}) as source:
        assert b"".join(source.chunks) == b"weights"


def test_the_name_in_the_headers_of_a_link_is_used(flaky: Callable[..., FlakyServer]) -> None:
    server = flaky(content=b"weights", disposition='attachment; filename="../cats.safetensors"')
    with open_source(f"{server.url}/api/download/models/1", {}) as source:
        assert source.name == "cats.safetensors"


def test_the_host_of_a_redirect_gets_none_of_the_given_headers(flaky: Callable[..., FlakyServer]) -> None:
    other = flaky(content=b"weights")
    redirect = (302, {"location": f"{other.url}/b.pt"}, b"")
    first = flaky(answers=[(307, {"location": "/moved"}, b""), redirect, redirect])
    given = {"Authorization": "Bearer 5ecret", "x-token": "5ecret", "Cookie": "5ecret"}
    with open_source(f"{first.url}/a.pt", given) as source:
        assert b"".join(source.chunks) == b"weights"
    assert [(path, headers.get("x-token")) for _, path, headers, _ in first.requests] == [
        ("/a.pt", "5ecret"),
        ("/moved", "5ecret"),
        ("/a.pt", "5ecret"),
    ]
    assert len(other.requests) == 2
    assert "5ecret" not in str([headers for _, _, headers, _ in other.requests])


@pytest.mark.parametrize(
    "header", [("x-token", "5ecret\nx"), ("x-token", "5ecr\xe9t"), ("x token", "5ecret")]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(header: tuple[str, str]) -> None:
    with (
        pytest.raises(InputError, match=r"the header 'x.token' has a character") as error,
        open_source("http://127.0.0.1:9/a.pt", dict([header])),
    ):
        pass
    assert "5ecr" not in str(error.value)


def test_links_that_lead_nowhere_are_refused_without_their_tokens(flaky: Callable[..., FlakyServer]) -> None:
    server = flaky(answers=[(302, {"location": "/a.pt"}, b"")] * 30)
    with (
        pytest.raises(Unreachable, match=r"a\.pt cannot be reached") as error,
        open_source(f"{server.url}/a.pt?token=5ecret", {}),
    ):
        pass
    assert "5ecret" not in str(error.value)
    with pytest.raises(InputError, match="is no link"), open_source("https://a\nb", {}):
        pass
