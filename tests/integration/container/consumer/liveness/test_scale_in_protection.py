"""Task protection, against a small server that answers as ECS's agent does."""

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
    REFUSED_SECONDS,
    RELEASE_AFTER_SECONDS,
    RENEW_SECONDS,
    Protection,
)
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.clock import FakeMonotonic
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer

TASK = "arn:aws:ecs:us-east-1:111122223333:task/sd/0123456789abcdef0"
GRANTED = {
    "protection": {"ProtectionEnabled": True, "ExpirationDate": "2026-11-22T18:00:00Z", "TaskArn": TASK}
}
RELEASED = {"protection": {"ProtectionEnabled": False, "ExpirationDate": None, "TaskArn": TASK}}
BLOCKED = {"failure": {"Arn": TASK, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}}
DENIED = {"error": {"Arn": TASK, "Code": "AccessDeniedException", "Message": "not authorized"}}

PROTECT = {"ProtectionEnabled": True, "ExpiresInMinutes": MINUTES}
RELEASE = {"ProtectionEnabled": False}


class Agent:
    """Answer requests for protection with `answer`, and keep what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: dict[str, Any] | None = None
        self.status = 200
        self.changed = threading.Condition()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.path == f"/api/0123{PATH}"
                with agent.changed:
                    agent.asked.append(body)
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

    def wait(self, asked: list[Any]) -> None:
        """Wait until exactly this was asked."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked == asked, 20), self.asked


@contextmanager
def running_agent() -> Iterator[Agent]:
    """Run an agent until the block ends."""
    agent = Agent()
    threading.Thread(target=agent.server.serve_forever, daemon=True).start()
    try:
        yield agent
    finally:
        agent.server.shutdown()
        agent.server.server_close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """Run an agent that grants protection."""
    with running_agent() as running:
        yield running


class Work:
    """Say whether anything is in hand."""

    def __init__(self) -> None:
        self.busy = True

    def __call__(self) -> bool:
        """Tell whether it is."""
        return self.busy


@pytest.fixture
def clock() -> FakeMonotonic:
    """Return a clock of the test's own."""
    return FakeMonotonic()


@pytest.fixture
def work() -> Work:
    """Return work that goes on."""
    return Work()


@pytest.fixture
def protection(agent: Agent, clock: FakeMonotonic, work: Work) -> Protection:
    """Return protection whose thread does not run."""
    return Protection(agent.uri, busy=work, clock=clock)


def test_it_is_asked_for_once(agent: Agent, protection: Protection) -> None:
    """Every claim but the first costs nothing."""
    assert protection.acquire()
    assert protection.acquire()
    assert agent.asked == [PROTECT]


def test_it_is_released_when_idle(
    agent: Agent, protection: Protection, clock: FakeMonotonic, work: Work
) -> None:
    """Not in the pause between two tasks; asked for again with the next one."""
    protection.acquire()
    work.busy = False
    clock.seconds += IDLE_SECONDS / 2
    protection.renew_or_release()
    assert agent.asked == [PROTECT]
    clock.seconds += IDLE_SECONDS
    protection.renew_or_release()
    protection.renew_or_release()
    assert agent.asked == [PROTECT, RELEASE]
    assert protection.acquire()
    assert agent.asked == [PROTECT, RELEASE, PROTECT]


def test_it_is_renewed_during_a_long_job(agent: Agent, protection: Protection, clock: FakeMonotonic) -> None:
    """Long before ECS forgets it; a job that has not ended does not let it go."""
    protection.acquire()
    clock.seconds += RENEW_SECONDS
    protection.renew_or_release()
    protection.renew_or_release()
    assert agent.asked == [PROTECT, PROTECT]


def test_it_is_let_go_now_and_then_between_two_jobs(
    agent: Agent, protection: Protection, clock: FakeMonotonic
) -> None:
    """A continuous backlog must not hold up a deployment for ever."""
    protection.acquire()
    protection.job_ended()
    protection.renew_or_release()
    assert agent.asked == [PROTECT]
    clock.seconds += RELEASE_AFTER_SECONDS
    protection.renew_or_release()
    assert agent.asked == [PROTECT]
    protection.job_ended()
    protection.renew_or_release()
    assert agent.asked == [PROTECT, RELEASE]
    agent.answer = BLOCKED
    assert not protection.acquire()


def test_a_blocked_deployment_refuses_until_it_is_granted_again(
    agent: Agent, protection: Protection, clock: FakeMonotonic
) -> None:
    """ECS is not asked with each message meanwhile."""
    agent.answer = BLOCKED
    assert not protection.acquire()
    assert not protection.acquire()
    assert protection.refused
    assert agent.asked == [PROTECT]
    agent.answer = None
    clock.seconds += REFUSED_SECONDS
    assert protection.acquire()
    assert not protection.refused


@pytest.mark.parametrize(
    ("answer", "status"), [(DENIED, 400), ({}, 200), ({"failure": {"Reason": "MISSING"}}, 200)]
)
def test_work_goes_on_unprotected_where_the_agent_cannot_say(
    agent: Agent, protection: Protection, answer: dict[str, Any], status: int
) -> None:
    """A task that was started by hand, a role without the permission: no reason to stop."""
    agent.answer, agent.status = answer, status
    assert protection.acquire()
    assert protection.acquire()
    assert len(agent.asked) == 1


def test_an_agent_that_is_not_there_is_no_error(clock: FakeMonotonic, work: Work) -> None:
    """Neither without the variable nor with one that leads nowhere."""
    assert Protection("", busy=work, clock=clock).acquire()
    with running_agent() as gone:
        uri = gone.uri
    assert Protection(uri, busy=work, clock=clock).acquire()


def test_a_worker_is_protected_while_it_works(
    cloud: Cloud, webui: FakeWebUi, agent: Agent, task_id: str
) -> None:
    """From before the claim until nothing is in hand."""
    with running_consumer(cloud, webui.url, ecs_agent_uri=agent.uri):
        cloud.submit(task_id)
        cloud.outcome(task_id)
        agent.wait([PROTECT])
    agent.wait([PROTECT, RELEASE])


def test_a_worker_that_may_not_be_protected_leaves_tasks_alone(
    cloud: Cloud, webui: FakeWebUi, agent: Agent, task_id: str
) -> None:
    """One message is given back unclaimed; nothing more is received."""
    agent.answer = BLOCKED
    with running_consumer(cloud, webui.url, ecs_agent_uri=agent.uri):
        cloud.submit(task_id)
        agent.wait([PROTECT])
    assert cloud.message_counts() == (1, 0)
    assert cloud.row(task_id).attempts == 0
    assert cloud.row(task_id).fences == frozenset()
