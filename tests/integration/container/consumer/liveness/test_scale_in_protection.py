"""Protection of the ECS task from scale-in while its worker has image tasks, with a fake of ECS's agent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from container.consumer.liveness.scale_in_protection import (
    IDLE_SECONDS,
    MINUTES,
    PATH,
    RELEASE_AFTER_SECONDS,
    RENEW_SECONDS,
    RETRY_REFUSED_SECONDS,
    Protection,
)
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.clock import FakeMonotonic
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer

ECS_TASK = "arn:aws:ecs:us-east-1:111122223333:task/sd/0123456789abcdef0"
GRANTED = {
    "protection": {"ProtectionEnabled": True, "ExpirationDate": "2026-11-22T18:00:00Z", "TaskArn": ECS_TASK}
}
RELEASED = {"protection": {"ProtectionEnabled": False, "ExpirationDate": None, "TaskArn": ECS_TASK}}
BLOCKED = {"failure": {"Arn": ECS_TASK, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}}
DENIED = {"error": {"Arn": ECS_TASK, "Code": "AccessDeniedException", "Message": "not authorized"}}

PROTECT = {"ProtectionEnabled": True, "ExpiresInMinutes": MINUTES}
RELEASE = {"ProtectionEnabled": False}


class FakeAgent:
    """Responds to requests for protection with `answer`, and records them."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.answer: dict[str, Any] | None = None
        self.status = 200
        self.changed = threading.Condition()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.path == f"/api/0123{PATH}"
                with agent.changed:
                    agent.requests.append(body)
                    agent.changed.notify_all()
                answer = agent.answer or (GRANTED if body["ProtectionEnabled"] else RELEASED)
                text = json.dumps(answer).encode()
                self.send_response(agent.status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/api/0123"

    def wait(self, expected: list[Any]) -> None:
        """Wait until exactly these requests were made."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.requests == expected, 20), self.requests


@contextmanager
def running_agent() -> Iterator[FakeAgent]:
    """Run an agent until the block ends."""
    agent = FakeAgent()
    threading.Thread(target=agent.server.serve_forever, daemon=True).start()
    try:
        yield agent
    finally:
        agent.server.shutdown()
        agent.server.server_close()


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    """Run an agent that grants protection."""
    with running_agent() as fake_agent:
        yield fake_agent


class Work:
    """Says whether the worker has any jobs, as the test sets it."""

    def __init__(self) -> None:
        self.busy = True

    def __call__(self) -> bool:
        """Return whether there are any jobs."""
        return self.busy


@pytest.fixture
def clock() -> FakeMonotonic:
    """Return a clock that only the test moves."""
    return FakeMonotonic()


@pytest.fixture
def work() -> Work:
    """Return work that continues."""
    return Work()


@pytest.fixture
def protection(agent: FakeAgent, clock: FakeMonotonic, work: Work) -> Protection:
    """Return protection without its thread."""
    return Protection(agent.uri, has_jobs=work, clock=clock)


def test_protection_is_requested_once_and_not_for_every_claim(
    agent: FakeAgent, protection: Protection
) -> None:
    assert protection.acquire()
    assert protection.acquire()
    assert agent.requests == [PROTECT]


def test_protection_is_released_when_the_worker_is_idle_and_requested_again_with_the_next_task(
    agent: FakeAgent, protection: Protection, clock: FakeMonotonic, work: Work
) -> None:
    protection.acquire()
    work.busy = False
    clock.seconds += IDLE_SECONDS / 2
    protection.renew_or_release()
    assert agent.requests == [PROTECT]
    clock.seconds += IDLE_SECONDS
    protection.renew_or_release()
    protection.renew_or_release()
    assert agent.requests == [PROTECT, RELEASE]
    assert protection.acquire()
    assert agent.requests == [PROTECT, RELEASE, PROTECT]


def test_protection_is_renewed_during_a_long_job(
    agent: FakeAgent, protection: Protection, clock: FakeMonotonic
) -> None:
    protection.acquire()
    clock.seconds += RENEW_SECONDS
    protection.renew_or_release()
    protection.renew_or_release()
    assert agent.requests == [PROTECT, PROTECT]


def test_protection_is_released_regularly_between_jobs(
    agent: FakeAgent, protection: Protection, clock: FakeMonotonic
) -> None:
    """A continuous backlog must not block a deployment forever."""
    protection.acquire()
    protection.job_ended()
    protection.renew_or_release()
    assert agent.requests == [PROTECT]
    clock.seconds += RELEASE_AFTER_SECONDS
    protection.renew_or_release()
    assert agent.requests == [PROTECT]
    protection.job_ended()
    protection.renew_or_release()
    assert agent.requests == [PROTECT, RELEASE]
    agent.answer = BLOCKED
    assert not protection.acquire()


def test_no_task_is_claimed_until_protection_is_granted_again(
    agent: FakeAgent, protection: Protection, clock: FakeMonotonic
) -> None:
    agent.answer = BLOCKED
    assert not protection.acquire()
    assert not protection.acquire()
    assert protection.refused
    assert agent.requests == [PROTECT]
    agent.answer = None
    clock.seconds += RETRY_REFUSED_SECONDS
    assert protection.acquire()
    assert not protection.refused


@pytest.mark.parametrize(
    ("answer", "status"), [(DENIED, 400), ({}, 200), ({"failure": {"Reason": "MISSING"}}, 200)]
)
def test_work_continues_without_protection_if_the_agent_cannot_grant_it(
    agent: FakeAgent, protection: Protection, answer: dict[str, Any], status: int
) -> None:
    """For example for a task that was started by hand, or a role without the permission."""
    agent.answer, agent.status = answer, status
    assert protection.acquire()
    assert protection.acquire()
    assert len(agent.requests) == 1


def test_a_missing_agent_is_no_error(clock: FakeMonotonic, work: Work) -> None:
    assert Protection("", has_jobs=work, clock=clock).acquire()
    with running_agent() as stopped_agent:
        uri = stopped_agent.uri
    assert Protection(uri, has_jobs=work, clock=clock).acquire()


def test_a_worker_is_protected_from_the_claim_to_the_end_of_its_jobs(
    cloud: Cloud, webui: FakeWebUi, agent: FakeAgent, task_id: str
) -> None:
    with running_consumer(cloud, webui.url, ecs_agent_uri=agent.uri):
        cloud.submit(task_id)
        cloud.outcome(task_id)
        agent.wait([PROTECT])
    agent.wait([PROTECT, RELEASE])


def test_a_worker_without_protection_releases_a_message_and_receives_no_other(
    cloud: Cloud, webui: FakeWebUi, agent: FakeAgent, task_id: str
) -> None:
    agent.answer = BLOCKED
    with running_consumer(cloud, webui.url, ecs_agent_uri=agent.uri):
        cloud.submit(task_id)
        agent.wait([PROTECT])
    assert cloud.message_counts() == (1, 0)
    assert cloud.row(task_id).attempts == 0
    assert cloud.row(task_id).fences == frozenset()
