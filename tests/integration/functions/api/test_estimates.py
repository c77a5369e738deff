"""The estimated times of queued tasks, and the numbers of workers."""

from datetime import timedelta
from typing import Any

import pytest

from container.consumer.receiving.registry import WorkerRegistry
from domain.clock import parse
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, STATIC, Deployment
from tests.support.worker import Worker

UNIT = 20 * 512 * 512


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api(deployment: Deployment, clock: FakeClock) -> Client:
    return Client(deployment, clock)


def register(deployment: Deployment, name: str, runtime: str = DYNAMIC) -> WorkerRegistry:
    return WorkerRegistry(
        deployment.dynamodb, deployment.environment.task_table, runtime=runtime, worker=name
    )


def times(api: Client, clock: FakeClock, task_id: str) -> list[float | None]:
    """Return in how many seconds a task is expected to start and to finish."""
    task = api("GET", f"/v1alpha2/tasks/{task_id}").body
    return [
        None if (text := task[name]) is None else round((parse(text) - clock()) / timedelta(seconds=1), 1)
        for name in ("estimated_start", "estimated_finish")
    ]


def submit(api: Client, clock: FakeClock, task_id: str, **content: Any) -> None:
    clock.forward(seconds=0.01)
    assert api.submit(task_id, content={"prompt": "x", "steps": 20} | content).status == 200


def test_a_queued_task_shows_when_it_will_start_and_finish(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    submit(api, clock, "running")
    submit(api, clock, "large", batch_size=3)
    submit(api, clock, "small")
    assert times(api, clock, "small") == [None, None], "nothing was measured"
    register(deployment, "w").renew(seconds=600, speeds={"text-to-image": 4.0 / UNIT})
    assert times(api, clock, "running") == [0, 4]
    assert times(api, clock, "small") == [16, 20]
    Worker(deployment, clock).start("running")
    clock.forward(seconds=1)
    assert times(api, clock, "running") == [None, None], "it has started"
    assert times(api, clock, "small") == [15, 19]
    register(deployment, "x").renew(seconds=600, speeds={"text-to-image": 4.0 / UNIT})
    assert times(api, clock, "small") == [3, 7], "the other worker takes the large one"


def test_a_task_waits_for_a_worker_that_is_starting(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    submit(api, clock, "first")
    former = register(deployment, "former")
    former.renew(seconds=600, speeds={"text-to-image": 4.0 / UNIT})
    former.unregister()
    assert times(api, clock, "first") == [None, None], "no worker runs or starts"
    register(deployment, "new").announce(seconds=600)
    start, finish = times(api, clock, "first")
    assert start is not None
    assert finish is not None
    assert finish - start == pytest.approx(4, abs=0.2)


def test_beyond_the_last_position_there_is_no_estimate(
    api: Client, deployment: Deployment, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.listing.MAX_POSITION", 1)
    register(deployment, "w").renew(seconds=600, speeds={"text-to-image": 4.0 / UNIT})
    for name in ("first", "second", "third"):
        submit(api, clock, name)
    assert times(api, clock, "second") == [4, 8]
    assert times(api, clock, "third") == [None, None]


def test_runtimes_show_how_many_workers_run_and_start(api: Client, deployment: Deployment) -> None:
    register(deployment, "a").renew(seconds=600)
    register(deployment, "b").renew(seconds=600)
    register(deployment, "c").announce(seconds=600)
    register(deployment, "d", STATIC).announce(seconds=600)
    ended = register(deployment, "e")
    ended.renew(seconds=600)
    ended.unregister()
    runtimes = api("GET", "/v1alpha2/runtimes").body["runtimes"]

    assert {runtime["name"]: runtime["workers"] for runtime in runtimes} == {
        DYNAMIC: {"running": 2, "starting": 1},
        STATIC: {"running": 0, "starting": 1},
    }
    assert api("GET", f"/v1alpha2/runtimes/{DYNAMIC}").body["workers"] == {"running": 2, "starting": 1}


def test_a_row_without_a_cost_does_not_prevent_an_estimate(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    register(deployment, "w").renew(seconds=600, speeds={"text-to-image": 4.0 / UNIT})
    for name in ("old", "second", "third"):
        submit(api, clock, name)
    deployment.dynamodb.update_item(
        TableName=deployment.environment.task_table,
        Key={"id": {"S": "old"}},
        UpdateExpression="REMOVE cost, cost_kind",
    )
    assert times(api, clock, "old") == [0, None]
    assert times(api, clock, "third") == [8, 12]
