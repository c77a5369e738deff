"""`s3://` links: objects of the listed buckets, and errors for missing and forbidden ones."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters.public_http.errors import InputError
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.limits import Limits
from local.emulator import Emulator
from tests.support.http_answers import BODIES, picture
from tests.support.internet import forbidden_s3

BUCKET = "links-uploads"
DEFAULT_LIMITS = Limits()


@pytest.fixture(scope="module")
def s3(aws: Emulator) -> Any:
    """Return a client of an emulator with two buckets."""
    client = aws.client("s3")
    for bucket in (BUCKET, "links-private"):
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="cats/кот 1?#.png", Body=picture())
    client.put_object(Bucket=BUCKET, Key="page.png", Body=BODIES["html-as-png"], ContentType="image/png")
    client.put_object(Bucket=BUCKET, Key="long.png", Body=picture() + b"\0" * 100_000)
    client.put_object(Bucket=BUCKET, Key="vast.png", Body=BODIES["png-vast"])
    return client


def links(client: Any, *buckets: str, limits: Limits = DEFAULT_LIMITS) -> Links:
    """Return a guard that may read these buckets."""
    return Links(s3_client=client, buckets=frozenset(buckets), allow_private=False, limits=limits)


def test_an_object_of_a_listed_bucket_is_read_whatever_its_key(s3: Any) -> None:
    fetched = links(s3, BUCKET).fetch(f"s3://{BUCKET}/cats/кот 1?#.png")
    assert fetched.data == picture()
    assert fetched.file_type.format == "PNG"


@pytest.mark.parametrize(
    "host",
    [
        f"{BUCKET}.s3.us-east-1.amazonaws.com",
        f"{BUCKET}.s3.amazonaws.com",
        f"{BUCKET}.s3-eu-west-1.amazonaws.com",
        f"{BUCKET}.s3.dualstack.us-east-1.amazonaws.com",
        f"{BUCKET}.s3.cn-north-1.amazonaws.com.cn",
        f"s3.us-east-1.amazonaws.com/{BUCKET}",
    ],
)
def test_the_https_address_of_an_object_is_read_with_the_role(s3: Any, host: str) -> None:
    for key in ("cats/кот 1%3F%23.png", "cats/%D0%BA%D0%BE%D1%82%201%3f%23.png"):
        assert links(s3, BUCKET).fetch(f"https://{host}/{key}").data == picture()


@pytest.mark.parametrize(
    "link",
    [
        "https://links-private.s3.us-east-1.amazonaws.com/cats/a.png",
        f"https://{BUCKET}.s3.us-east-1.amazonaws.com/long.png?X-Amz-Signature=abc",
        f"https://{BUCKET}.s3.us-east-1.amazonaws.com.example.com/long.png",
        f"https://s3.example.com/{BUCKET}/long.png",
        f"https://{BUCKET}.s3.us-east-1.amazonaws.com/",
        f"https://{BUCKET}.s3.us-east-1.amazonaws.com/a/../long.png",
    ],
)
def test_any_other_address_is_requested_without_the_role(link: str) -> None:
    def resolve(name: str, port: int) -> list[str]:
        raise OSError(name, port)

    guard = Links(s3_client=forbidden_s3(), buckets=frozenset({BUCKET}), allow_private=False, resolve=resolve)
    with pytest.raises(InputError, match="its host is not known"):
        guard.fetch(link)


@pytest.mark.parametrize(
    ("link", "code", "reason"),
    [
        ("s3://links-private/cats/кот 1?#.png", "input_blocked", "bucket"),
        ("s3://links-missing/cat.png", "input_blocked", "bucket"),
        (f"s3://{BUCKET}/missing.png", "input_unavailable", "no such object"),
        ("s3://links-deleted/cat.png", "input_unavailable", "no such object"),
        (f"s3://{BUCKET}/page.png", "input_not_an_image", "web page"),
        (f"s3://{BUCKET}/long.png", "input_too_large", "bytes"),
        (f"s3://{BUCKET}/vast.png", "input_too_large", "pixels"),
    ],
)
def test_each_reason_why_an_object_cannot_be_read_has_its_code_and_text(
    s3: Any, link: str, code: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        links(s3, BUCKET, "links-deleted", limits=Limits(max_bytes=90_000)).fetch(link)
    assert caught.value.code == code
    assert "c4n4ry" not in str(caught.value)


@contextmanager
def failing_s3(status: int, code: str) -> Iterator[Any]:
    """Run an S3 that fails in one way; yield a client for it."""

    class FailingHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>c4n4ry</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), FailingHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield client_of(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client_of(port: int) -> Any:
    """Return a client without retries."""
    return boto3.session.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
    )


@pytest.mark.parametrize(
    ("status", "s3_code", "code", "reason"),
    [
        (403, "AccessDenied", "input_blocked", "does not let"),
        (403, "AllAccessDisabled", "input_blocked", "does not let"),
        (403, "InvalidObjectState", "input_unavailable", "archived"),
        (404, "NoSuchKey", "input_unavailable", "no such object"),
        (404, "NoSuchBucket", "input_unavailable", "no such object"),
    ],
)
def test_missing_and_forbidden_objects_have_different_errors(
    status: int, s3_code: str, code: str, reason: str
) -> None:
    with failing_s3(status, s3_code) as client, pytest.raises(InputError, match=reason) as caught:
        links(client, BUCKET).fetch(f"s3://{BUCKET}/cat.png")
    assert caught.value.code == code
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(("status", "s3_code"), [(503, "SlowDown"), (500, "InternalError")])
def test_errors_of_s3_itself_are_raised_unchanged_to_be_retried(status: int, s3_code: str) -> None:
    with failing_s3(status, s3_code) as client, pytest.raises(ClientError):
        links(client, BUCKET).fetch(f"s3://{BUCKET}/cat.png")


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"]
)
def test_errors_about_the_roles_credentials_are_raised_unchanged(code: str) -> None:
    with failing_s3(403, code) as client, pytest.raises(ClientError):
        links(client, BUCKET).fetch(f"s3://{BUCKET}/cat.png")


def test_a_failed_connection_to_s3_is_raised_unchanged() -> None:
    with failing_s3(200, "") as client:
        pass
    with pytest.raises(BotoCoreError):
        links(client, BUCKET).fetch(f"s3://{BUCKET}/cat.png")
