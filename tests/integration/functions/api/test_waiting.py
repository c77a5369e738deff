"""A request can wait until its task has changed or ended."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.table import Table
from functions.api.waiting import CHECK_SECONDS, TaskWaiter, etag
from tests.support.api_client import Client
from tests.support.deployment import Deployment
from tests.support.worker import Worker


class FakePause:
    """A pause that takes no time: it moves its clock, and calls what a test wants to happen meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], Any] = lambda: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= CHECK_SECONDS
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def pause() -> FakePause:
    return FakePause()


@pytest.fixture
def api(deployment: Deployment, pause: FakePause) -> Client:
    """Return an API whose pauses take no time."""
    table = Table(deployment.dynamodb, deployment.environment.task_table)
    return Client(deployment, wait=TaskWaiter(table=table, sleep=pause.sleep, clock=pause.clock))


PATH = "/v1alpha2/tasks/test/wait"


def test_a_waiting_request_is_answered_when_the_task_has_ended(
    api: Client, deployment: Deployment, pause: FakePause
) -> None:
    api.submit()
    worker = Worker(deployment)

    def run_after_three_seconds() -> None:
        if pause.now == 3:
            worker.run("test")

    pause.meanwhile = run_after_three_seconds
    answer = api("GET", PATH, query={"seconds": "25"})
    assert (answer.status, answer.body["status"], pause.now) == (200, "completed", 3)
    assert len(answer.body["images"]) == 1


def test_after_the_time_the_answer_is_the_task_as_it_is(api: Client, pause: FakePause) -> None:
    api.submit()
    answer = api("GET", PATH, query={"seconds": "7"})
    assert (answer.status, answer.body["status"], pause.now) == (200, "queued", 7)
    assert api("GET", PATH).status == 200
    assert pause.now == 7 + 20


def test_a_task_that_has_ended_is_answered_at_once(
    api: Client, deployment: Deployment, pause: FakePause
) -> None:
    api.submit()
    Worker(deployment).run("test")
    assert api("GET", PATH).body["status"] == "completed"
    assert pause.now == 0


def test_with_a_tag_the_answer_comes_when_something_has_changed(
    api: Client, deployment: Deployment, pause: FakePause
) -> None:
    api.submit()
    tag = api("GET", "/v1alpha2/tasks/test").headers["ETag"]
    worker = Worker(deployment)
    pause.meanwhile = lambda: worker.start("test") if pause.now == 2 else None
    answer = api("GET", PATH, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (answer.body["status"], pause.now) == ("running", 2)
    assert answer.headers["ETag"] != tag


def test_with_a_tag_the_answer_after_the_time_is_304_if_nothing_has_changed(
    api: Client, pause: FakePause
) -> None:
    api.submit()
    tag = api("GET", "/v1alpha2/tasks/test").headers["ETag"]
    api.submit("before", context=1)
    answer = api("GET", PATH, query={"seconds": "5"}, headers={"If-None-Match": tag})
    assert (answer.status, answer.body, pause.now) == (304, None, 5)
    assert answer.headers["ETag"] == tag


def test_an_asterisk_as_tag_matches_every_state(
    api: Client, deployment: Deployment, pause: FakePause
) -> None:
    api.submit()
    worker = Worker(deployment)
    pause.meanwhile = lambda: worker.start("test") if pause.now == 2 else None
    answer = api("GET", PATH, query={"seconds": "5"}, headers={"If-None-Match": " * "})
    assert (answer.status, pause.now) == (304, 5)
    assert answer.headers["ETag"] == api("GET", "/v1alpha2/tasks/test").headers["ETag"]


def test_the_openapi_document_has_each_response_with_a_tag(api: Client) -> None:
    paths = api("GET", "/openapi.json").body["paths"]
    read, wait = (paths[f"/v1alpha2/tasks/{{id}}{end}"]["get"]["responses"] for end in ("", "/wait"))
    assert ["ETag" in each["headers"] for each in (read["200"], wait["200"], wait["304"])] == [True] * 3


def test_a_heartbeat_changes_the_tag_only_with_progress(api: Client, deployment: Deployment) -> None:
    api.submit()
    row = Worker(deployment).start("test")
    later = type(row)(row.item | {"lease_until": "9999", "message": "other"})
    assert etag(later) == etag(row)
    assert etag(type(row)(row.item | {"progress": 0.5})) != etag(row)


@pytest.mark.parametrize("seconds", ["0", "26", "-1", "1.5", "x", "", "00000001", "\u0661"])
def test_another_time_is_refused(api: Client, seconds: str) -> None:
    api.submit()
    answer = api("GET", PATH, query={"seconds": seconds})
    assert (answer.status, answer.faults) == (400, ["seconds"])


def test_an_unknown_task_is_not_waited_for(api: Client, pause: FakePause) -> None:
    assert api("GET", PATH).status == 404
    assert api("GET", "/v1alpha2/tasks/test/wait", query={"second": "1"}).faults == ["second"]
    assert pause.now == 0
