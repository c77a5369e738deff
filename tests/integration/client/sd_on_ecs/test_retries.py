"""What the client sends again after lost connections and errors, and what it does not."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sd_on_ecs import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    NotFound,
    Retries,
    ServiceFailed,
    Unreachable,
    text_to_image,
)
from sd_on_ecs.errors import error_of
from tests.support.flaky_server import FlakyServer

FAST = Retries(count=3, first_delay_seconds=0.01)
Answer = tuple[int, dict[str, str], bytes]
Start = Callable[..., FlakyServer]
LOST: Answer = (0, {}, b"")


def answer(status: int, body: Any, **headers: str) -> Answer:
    return status, headers, json.dumps(body).encode()


def refusal(status: int, code: str) -> Answer:
    return answer(status, {"error": {"code": code, "message": "It is so.", "details": []}})


def client(server: FlakyServer) -> Client:
    return Client(f"{server.url}/dev/", "key", retries=FAST)


def paths(server: FlakyServer) -> list[str]:
    return [f"{method} {path}" for method, path, _, _ in server.requests]


@pytest.mark.parametrize("first", [LOST, answer(502, {}), answer(429, {"message": "Too Many Requests"})])
def test_a_submit_is_sent_again_with_the_same_id_and_content(flaky: Start, first: Answer) -> None:
    server = flaky(answers=[first, answer(200, {"id": "cat-1"})])
    with client(server) as own:
        submitted = own.submit(text_to_image("a cat", runtime="sd"))
    assert submitted["id"] == "cat-1"
    (_, path, headers, body), again = server.requests
    assert (path, headers["x-api-key"]) == ("/dev/v1alpha2", "key")
    assert json.loads(body)["task"]["metadata"]["id"]
    assert again[3] == body


def test_a_refused_request_is_not_sent_again(flaky: Start) -> None:
    server = flaky(answers=[refusal(400, "invalid_task")])
    with client(server) as own, pytest.raises(ApiError) as error:
        own.submit(text_to_image("a cat", runtime="sd"))
    assert (error.value.status, error.value.code, len(server.requests)) == (400, "invalid_task", 1)


def test_it_gives_up_after_the_retries(flaky: Start) -> None:
    server = flaky(answers=[answer(503, {"message": "Service Unavailable"})] * 9)
    with client(server) as own, pytest.raises(ServiceFailed, match="503: Service Unavailable"):
        own.status("cat-1")
    assert len(server.requests) == 1 + FAST.count


def test_a_cancel_whose_response_was_lost_is_a_cancel(flaky: Start) -> None:
    cancelled = {"id": "cat-1", "status": "cancelled"}
    server = flaky(answers=[LOST, refusal(409, "conflict"), answer(200, cancelled)])
    with client(server) as own:
        assert own.cancel("cat-1")["status"] == "cancelled"
    path = "/dev/v1alpha2/tasks/cat-1"
    assert paths(server) == [f"DELETE {path}", f"DELETE {path}", f"GET {path}"]


def test_a_cancel_of_a_task_that_has_ended_otherwise_is_a_conflict(flaky: Start) -> None:
    server = flaky(answers=[refusal(409, "conflict"), answer(200, {"id": "cat-1", "status": "completed"})])
    with client(server) as own, pytest.raises(Conflict):
        own.cancel("cat-1")


def test_the_time_that_a_server_asks_for_is_waited() -> None:
    delays = Retries(count=1, first_delay_seconds=0.01)
    response = httpx.Response(429, headers={"retry-after": "7"})
    assert delays.delay_after_response(response, 0, repeatable=False) == 7
    assert delays.delay_after_response(response, 1, repeatable=True) is None


def test_what_may_have_had_an_effect_is_not_sent_again(flaky: Start) -> None:
    server = flaky(answers=[LOST] * 9)
    with client(server) as own, pytest.raises(Unreachable):
        own._transport.call("POST", "/x", repeatable=False)
    assert len(server.requests) == 1


def test_a_request_that_breaks_the_protocol_is_not_sent_again() -> None:
    assert FAST.delay_after_error(httpx.LocalProtocolError("no header"), 0, repeatable=True) is None
    assert FAST.delay_after_error(httpx.RemoteProtocolError("lost"), 0, repeatable=True) is not None


def test_a_body_that_cannot_be_decoded_is_read_again(flaky: Start) -> None:
    server = flaky(answers=[(200, {"content-encoding": "gzip"}, b"no gzip")] * 9)
    with client(server) as own, pytest.raises(Unreachable, match="cannot be reached: "):
        own.status("cat-1")
    assert len(server.requests) == 1 + FAST.count


def test_a_download_that_breaks_off_leaves_no_file_and_is_repeated(flaky: Start, tmp_path: Path) -> None:
    half = (200, {"content-length": "12"}, b"half")
    whole: Answer = (200, {}, b"whole")
    server = flaky(answers=[half, whole])
    assert download(server, tmp_path) == b"whole"
    server = flaky(answers=[half] * 9)
    with pytest.raises(Unreachable):
        download(server, tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == []


def test_an_expired_link_is_renewed(flaky: Start, tmp_path: Path) -> None:
    server = flaky(answers=[])
    fresh = answer(200, task(f"{server.url}/fresh"))
    server.answers.extend([(403, {}, b"<Error/>"), fresh, (200, {}, b"picture")])
    assert download(server, tmp_path) == b"picture"
    assert paths(server) == ["GET /old", "GET /dev/v1alpha2/tasks/cat-1", "GET /fresh"]
    # A link leads to S3, which must not get the key.
    assert "x-api-key" not in server.requests[2][2]


def s3_error(status: int, code: str, message: str) -> Answer:
    signed = "<StringToSign>AWS4-HMAC-SHA256</StringToSign>"
    return status, {}, f"<Error><Code>{code}</Code><Message>{message}</Message>{signed}</Error>".encode()


def test_an_image_that_s3_does_not_have_is_named_without_the_signature_of_its_link(
    flaky: Start, tmp_path: Path
) -> None:
    server = flaky(answers=[s3_error(404, "NoSuchKey", "The specified key does not exist.")])
    with pytest.raises(NotFound) as error:
        download(server, tmp_path, link="/old?X-Amz-Signature=5ecret")
    assert error.value.code == "NoSuchKey"
    place = f"{server.url}/old"
    assert str(error.value) == f"{place} answered 404: The specified key does not exist. (NoSuchKey)"


def test_what_s3_refuses_is_no_refused_api_key(flaky: Start, tmp_path: Path) -> None:
    refused = s3_error(403, "AccessDenied", "Access Denied")
    server = flaky(answers=[])
    server.answers.extend([refused, answer(200, task(f"{server.url}/fresh?X-Amz-Signature=5ecret")), refused])
    with pytest.raises(ApiError, match=r"/fresh answered 403: Access Denied \(AccessDenied\)$") as error:
        download(server, tmp_path)
    assert (type(error.value), error.value.code) == (ApiError, "AccessDenied")


def test_an_upload_that_s3_refuses_has_its_code(flaky: Start) -> None:
    server = flaky(answers=[])
    offered = {"url": f"{server.url}/bucket", "fields": {}, "s3": "s3://bucket/key"}
    server.answers.extend([answer(200, offered), s3_error(403, "TimeTooSkewed", "The clock is wrong.")])
    with client(server) as own, pytest.raises(ApiError, match=r"The clock is wrong\.") as error:
        own.upload(b"picture")
    assert (type(error.value), error.value.code) == (ApiError, "TimeTooSkewed")


def test_an_image_that_is_deleted_while_its_link_is_renewed_is_named(flaky: Start, tmp_path: Path) -> None:
    deleted = task("") | {"images": []}
    server = flaky(answers=[s3_error(403, "AccessDenied", "Request has expired"), answer(200, deleted)])
    with pytest.raises(NotFound, match=r"cat-1 no longer has cat-1-ab12-1\.png"):
        download(server, tmp_path)


def test_an_unexpected_answer_is_named_without_the_query_of_its_link() -> None:
    request = httpx.Request("GET", "https://name:passw0rd@example.com/x?X-Amz-Signature=5ecret")
    error = error_of(httpx.Response(418, request=request))
    assert str(error) == "https://example.com/x answered 418: I'm a teapot"


def test_the_asynchronous_client_does_the_same(flaky: Start) -> None:
    server = flaky(answers=[LOST, answer(200, {"id": "cat-1"})])

    async def submit() -> str:
        async with AsyncClient(server.url, "key", retries=FAST) as own:
            return (await own.submit(text_to_image("a cat", runtime="sd")))["id"]

    assert asyncio.run(submit()) == "cat-1"


def task(url: str) -> dict[str, Any]:
    image = {"s3": "s3://bucket/output/cat-1/cat-1-ab12-1.png", "url": url, "expires_at": ""}
    return {"id": "cat-1", "status": "completed", "images": [image], "other_images": [], "output": None}


def download(server: FlakyServer, folder: Path, *, link: str = "/old") -> bytes:
    found: Any = task(f"{server.url}{link}")
    with client(server) as own:
        (path,) = own.download(found, folder)
    assert path == folder / "cat-1-ab12-1.png"
    return path.read_bytes()
