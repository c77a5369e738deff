"""Deleting the outputs of a task removes its objects and nothing else, and can be repeated."""

from typing import Any

import pytest

from domain.clock import iso
from domain.protocol import record_output_deletion
from domain.row import Row, Status
from tests.support.api_client import Client
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment
from tests.support.failing_aws import FakeSns
from tests.support.worker import Worker

PATH = "/v1alpha2/tasks/test/outputs"


@pytest.fixture
def api(deployment: Deployment, clock: FakeClock, sns: FakeSns) -> Client:
    """Return the API with that clock and that SNS."""
    return Client(deployment, clock, sns=sns)


@pytest.fixture
def worker(deployment: Deployment, clock: FakeClock) -> Worker:
    """Return a worker with that clock."""
    return Worker(deployment, clock)


def _keys(deployment: Deployment) -> set[str]:
    listing: dict[str, Any] = deployment.s3.list_objects_v2(Bucket=deployment.environment.output_bucket)
    return {entry["Key"] for entry in listing.get("Contents", [])}


def test_the_objects_are_deleted_and_the_task_says_when(
    api: Client, deployment: Deployment, clock: FakeClock, worker: Worker
) -> None:
    api.submit("test")
    api.submit("other")
    worker.run("test")
    kept_keys = {uri.split("/", 3)[3] for uri in worker.run("other").images}
    assert len(_keys(deployment)) == 2

    answer = api("DELETE", PATH)

    assert answer.status == 200
    assert answer.body["outputs_deleted_at"] == iso(clock())
    assert (answer.body["status"], answer.body["images"], answer.body["output"]) == ("completed", [], None)
    assert _keys(deployment) == kept_keys
    clock.forward(minutes=5)
    assert api("DELETE", PATH).body == answer.body | {"links": answer.body["links"]}, (
        "repeating it changes nothing"
    )


def test_images_that_the_row_could_not_name_are_deleted_too(
    api: Client, deployment: Deployment, worker: Worker
) -> None:
    api.submit()
    row = worker.start("test")
    worker.store(row, number=2)  # not in `images`, as beyond the size of a row
    worker.finish(row)
    assert len(_keys(deployment)) == 2
    assert api("DELETE", PATH).status == 200
    assert _keys(deployment) == set()


@pytest.mark.parametrize("started", [False, True])
def test_outputs_of_an_active_task_are_not_deleted(api: Client, worker: Worker, *, started: bool) -> None:
    api.submit()
    if started:
        worker.start("test")
    answer = api("DELETE", PATH)
    assert (answer.status, answer.code) == (409, "conflict")
    assert ("running" if started else "queued") in answer.body["error"]["message"]


def test_there_is_nothing_to_delete_of_an_unknown_task(api: Client) -> None:
    assert api("DELETE", PATH).status == 404


def test_a_pending_callback_is_sent_before_its_images_are_deleted(
    api: Client, deployment: Deployment, worker: Worker, sns: FakeSns
) -> None:
    api.submit()
    worker.run("test", notify=False)
    sns.failing_topics.add(deployment.environment.result_topic_arn)
    assert api("DELETE", PATH).code == "conflict"
    assert len(_keys(deployment)) == 1, "nothing is deleted before the callback was sent"
    sns.failing_topics.clear()

    assert api("DELETE", PATH).status == 200

    (callback,) = deployment.callbacks()
    assert len(callback["image_url"]) == 1
    assert deployment.row("test").notified


def test_a_deletion_does_not_touch_a_new_submission_of_the_id(
    api: Client, deployment: Deployment, clock: FakeClock, worker: Worker
) -> None:
    api.submit()
    finished_row = worker.run("test")
    clock.forward(minutes=11)
    api.submit(context="again")
    second = worker.run("test")

    late_write = deployment.table.write("test", record_output_deletion(finished_row, clock()))

    assert not late_write.done
    assert deployment.row("test").images == second.images


def test_a_task_can_be_submitted_again_after_its_outputs_were_deleted(
    api: Client, deployment: Deployment, clock: FakeClock, worker: Worker
) -> None:
    api.submit()
    worker.run("test")
    api("DELETE", PATH)
    clock.forward(minutes=11)
    assert api.submit().status == 200
    row: Row = deployment.row("test")
    assert (row.status, row.outputs_deleted) == (Status.QUEUED, False)
