"""Events reach real HTTP receivers, signed as the Standard Webhooks packages expect it."""

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import standardwebhooks
import svix
import trustme

from adapters.presigned import PresignedLinks
from adapters.webhook_records import WebhookRecords
from domain.webhook import DELAYS_SECONDS, DeliveryRecord, Webhook, WebhookRules
from functions.webhooks.delivery import Deliverer
from functions.webhooks.receiver import DeliveryFailed, WebhookSender
from functions.webhooks.secret import SigningSecrets
from local.emulator import Emulator
from local.receiver import Receiver, run_receiver
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment

LOCAL = WebhookRules(allow_http=True, allow_private=True)
SECRET = base64.b64encode(bytes(range(24))).decode()
OLD_SECRET = base64.b64encode(bytes(range(24, 48))).decode()
CALLBACK = {
    "id": "cat-1",
    "runtime": "r",
    "result": True,
    "status": "completed",
    "image_url": ["s3://out/output/cat-1/cat-1-0001-1.png"],
    "output_url": "s3://out/output/cat-1/cat-1-0001.out",
    "context": {"order": "ü"},
    "error": None,
}


class Setup:
    """A deliverer with records on the emulator, and a clock that only the test moves."""

    def __init__(self, deployment: Deployment, *, secrets_: list[str], seconds: float = 5) -> None:
        self.clock = FakeClock()
        self.records = WebhookRecords(deployment.dynamodb, deployment.environment.task_table)
        self.deliver = Deliverer(
            records=self.records,
            links=PresignedLinks(deployment.s3, clock=self.clock),
            secrets=lambda: secrets_,
            post=WebhookSender(rules=LOCAL, seconds=seconds).post,
            clock=self.clock,
        )

    def ask(self, url: str) -> None:
        """Record that the outcome of submission `s` is sent to a URL."""
        self.records.create(Webhook(url), task_id="cat-1", submission_id="s", now=self.clock())

    def record(self) -> DeliveryRecord:
        """Return the record of the outcome."""
        record = self.records.read("s", "completed")
        assert record is not None
        return record


@pytest.fixture
def setup(deployment: Deployment) -> Setup:
    return Setup(deployment, secrets_=[SECRET])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


def test_an_event_is_delivered_once_with_links_to_its_objects(setup: Setup, receiver: Receiver) -> None:
    setup.ask(f"{receiver.url}/hook?token=1")
    assert setup.deliver(CALLBACK, "s") is None
    assert setup.deliver(CALLBACK, "s") is None, "a second delivery of the message"

    (request,) = receiver.requests
    assert request.path == "/hook?token=1"
    assert request.headers["content-type"] == "application/json"
    body = request.json
    assert body["type"] == "task.completed"
    links = body["data"].pop("links")
    assert body["data"] == CALLBACK
    assert [link["s3"] for link in links["images"]] == CALLBACK["image_url"]
    assert "X-Amz-Signature" in links["output"]["url"]
    assert setup.record().delivered_at is not None


@pytest.mark.parametrize("verifier", [standardwebhooks.Webhook, svix.Webhook])
@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_the_public_packages_verify_it_with_either_secret_of_a_rotation(
    deployment: Deployment, receiver: Receiver, verifier: Any, known: str
) -> None:
    setup = Setup(deployment, secrets_=[SECRET, OLD_SECRET])
    setup.ask(receiver.url)
    setup.deliver(CALLBACK, "s")
    (request,) = receiver.requests

    verifier(f"whsec_{known}").verify(request.body, request.headers)  # raises if it does not accept it

    with pytest.raises(Exception, match="signature"):
        verifier(f"whsec_{known}").verify(request.body + b" ", request.headers)
    with pytest.raises(Exception, match="signature"):
        verifier(f"whsec_{base64.b64encode(bytes(24)).decode()}").verify(request.body, request.headers)


@pytest.mark.parametrize("status", [301, 307, 400, 429, 500, 0])
def test_an_event_that_is_not_accepted_is_tried_again_with_the_same_id(
    setup: Setup, receiver: Receiver, status: int
) -> None:
    receiver.status_for = lambda _: status
    setup.ask(receiver.url)
    assert setup.deliver(CALLBACK, "s") == DELAYS_SECONDS[0]
    assert setup.deliver(CALLBACK, "s") == DELAYS_SECONDS[0], "delivered too early: no attempt is made"
    setup.clock.forward(seconds=DELAYS_SECONDS[0])
    receiver.status_for = lambda _: 200
    assert setup.deliver(CALLBACK, "s") is None

    first, second = receiver.requests
    assert [first.path, second.path] == ["/", "/"], "redirects are not followed"
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "s-completed"
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert (setup.record().attempts, setup.record().last_status) == (2, 200)


def test_gone_ends_the_delivery(setup: Setup, receiver: Receiver) -> None:
    receiver.status_for = lambda _: 410
    setup.ask(receiver.url)
    assert setup.deliver(CALLBACK, "s") is None
    assert setup.record().given_up


def test_a_receiver_that_does_not_answer_is_given_up_after_the_time_limit(
    deployment: Deployment, receiver: Receiver
) -> None:
    setup, done = Setup(deployment, secrets_=[SECRET], seconds=0.3), threading.Event()
    receiver.status_for = lambda _: 200 if done.wait(20) else 500
    setup.ask(receiver.url)
    try:
        assert setup.deliver(CALLBACK, "s") == DELAYS_SECONDS[0]
    finally:
        done.set()
    assert setup.record().last_status is None


def test_an_event_without_a_record_is_not_sent(setup: Setup, receiver: Receiver) -> None:
    setup.ask(receiver.url)
    assert setup.deliver(CALLBACK | {"status": "running"}, "s") is None
    assert setup.deliver(CALLBACK, "another") is None
    assert receiver.requests == []


def test_tls_is_checked_against_the_public_authorities(receiver: Receiver) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    assert certificate is not None
    with pytest.raises(DeliveryFailed, match=r"TLS failed|connection failed"):
        WebhookSender(rules=LOCAL).post(receiver.url.replace("http:", "https:"), b"{}", {})


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(hours=1), ["new", "old"]), (timedelta(hours=25), ["new"])],
)
def test_both_secrets_sign_for_a_day_after_a_rotation(
    aws: Emulator, age: timedelta, expected: list[str]
) -> None:
    client, name = aws.client("secretsmanager"), f"secret-{secrets.token_hex(4)}"
    client.create_secret(Name=name, SecretString="old")
    client.put_secret_value(SecretId=name, SecretString="new")
    read = SigningSecrets(client, name, clock=lambda: datetime.now(UTC) + age)
    assert read() == expected


def test_a_secret_that_was_never_rotated_signs_alone(aws: Emulator) -> None:
    client, name = aws.client("secretsmanager"), f"secret-{secrets.token_hex(4)}"
    client.create_secret(Name=name, SecretString="only")
    assert SigningSecrets(client, name)() == ["only"]


def test_the_entry_point_delays_a_message_and_returns_it(
    deployment: Deployment, aws: Emulator, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status_for = lambda _: 503
    queue = deployment.results_queue
    secret = aws.client("secretsmanager").create_secret(
        Name=f"secret-{secrets.token_hex(4)}", SecretString=SECRET
    )
    values = {
        "TASK_TABLE": deployment.environment.task_table,
        "WEBHOOK_QUEUE_URL": queue,
        "WEBHOOK_SECRET_ARN": secret["ARN"],
        "WEBHOOKS_ALLOW": "http,private",
    }
    for name, value in (aws.environment({}) | values).items():
        monkeypatch.setenv(name, value)
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    from functions.webhooks.handler import handler

    Setup(deployment, secrets_=[]).ask(receiver.url)
    deployment.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(CALLBACK))
    (message,) = deployment.sqs.receive_message(QueueUrl=queue)["Messages"]
    record = {
        "messageId": "m",
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "messageAttributes": {"webhook": {"stringValue": "s"}},
    }
    assert handler({"Records": [record]}, SimpleNamespace()) == {
        "batchItemFailures": [{"itemIdentifier": "m"}]
    }
    receiver.status_for = lambda _: 200
    foreign = record | {"messageAttributes": {}}
    assert handler({"Records": [foreign]}, SimpleNamespace()) == {"batchItemFailures": []}
    assert len(receiver.requests) == 1
