"""A worker claims no task after the time by which it had to start."""

from domain.clock import iso, now
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer


def test_a_message_that_arrives_after_the_deadline_ends_its_task(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    cloud.submit(task_id, start_within_seconds=1)
    cloud.wait_until(lambda: cloud.row(task_id).start_is_overdue(iso(now())))
    with running_consumer(cloud, webui.url):
        row = cloud.outcome(task_id)

    assert (row.status, row.item["error"]["code"]) == (Status.FAILED, "task_expired")
    assert row.attempts == 0, "it was not claimed"
    assert task_id not in [job["prompt"] for job in webui.control.jobs()]
