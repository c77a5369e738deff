"""A task with `start_within_seconds` fails if no GPU has taken it by then, and not later."""

from datetime import timedelta

import pytest

from domain.clock import iso
from domain.delivery import Action
from domain.row import Status
from functions.sweep.sweep import Report
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment
from tests.support.worker import Worker, sweep


@pytest.fixture
def api(deployment: Deployment, clock: FakeClock) -> Client:
    """Return the API with that clock."""
    return Client(deployment, clock)


def test_the_sweep_ends_a_task_that_no_gpu_took_in_time(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit("limited", start_within_seconds=600)
    api.submit("patient")
    clock.forward(seconds=599)
    assert sweep(deployment, clock) == Report()

    clock.forward(seconds=60)

    assert sweep(deployment, clock) == Report(expired=1, notified=1)
    (callback,) = deployment.callbacks()
    assert (callback["id"], callback["status"]) == ("limited", "failed")
    assert callback["error"]["code"] == "task_expired"
    assert deployment.row("patient").status is Status.QUEUED
    assert sweep(deployment, clock) == Report(), "it was ended once"


def test_a_delivery_after_the_deadline_runs_nothing(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit(start_within_seconds=60)
    (message,) = deployment.messages()
    clock.forward(seconds=61)
    worker = Worker(deployment, clock)

    assert worker.deliver(message) is Action.END_UNCLAIMED
    assert worker.runs == []


def test_a_task_that_started_in_time_is_finished_by_a_later_attempt(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit(start_within_seconds=60)
    assert api("GET", "/v1alpha2/tasks/test").body["start_by"] == iso(clock() + timedelta(seconds=60))
    (message,) = deployment.messages()
    worker = Worker(deployment, clock)
    worker.start("test", seconds=120)
    assert api("GET", "/v1alpha2/tasks/test").body["start_by"] is None
    clock.forward(minutes=4)  # its worker died, and the lease has ended

    assert sweep(deployment, clock) == Report()
    assert worker.deliver(message) is Action.CLAIM
    assert deployment.row("test").status is Status.COMPLETED


def test_a_task_that_a_worker_prepares_is_left_to_it(
    api: Client, deployment: Deployment, clock: FakeClock
) -> None:
    api.submit(start_within_seconds=60)
    clock.forward(seconds=30)
    Worker(deployment, clock).claim("test", seconds=300)
    clock.forward(seconds=120)

    assert sweep(deployment, clock) == Report()


def test_a_cancel_wins_over_the_deadline(api: Client, deployment: Deployment, clock: FakeClock) -> None:
    api.submit(start_within_seconds=60)
    assert api("DELETE", "/v1alpha2/tasks/test").status == 200
    clock.forward(minutes=5)

    assert sweep(deployment, clock) == Report()
    assert [callback["status"] for callback in deployment.callbacks()] == ["cancelled"]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "60", [60], 14 * 86_400 + 1])
def test_a_limit_that_is_no_number_of_seconds_is_refused_at_its_place(api: Client, wrong: object) -> None:
    answer = api.submit(start_within_seconds=wrong)

    assert answer.status == 400
    assert answer.faults == ["/task/metadata/start_within_seconds"]


def test_another_limit_is_another_task(api: Client) -> None:
    assert api.submit(start_within_seconds=60).status == 200
    assert api.submit(start_within_seconds=60).status == 200
    assert api.submit(start_within_seconds=61).code == "conflict"
