"""Cancelling a task at each stage: the first final write decides, and no unfinished image is stored."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from container.consumer.shutdown import REPLACE_ENGINE
from domain.errors import InvalidTask
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer
from tests.support.failing_aws import FaultyClients
from tests.support.proxy import Proxy

CANCELLED = Status.CANCELLED


def wait_for_only_outcome(cloud: Cloud, task_id: str) -> Status:
    """Wait until no message is left; return the status of the row and of all callbacks."""
    row = cloud.outcome(task_id)
    cloud.wait_until_empty()
    cloud.receive_callbacks()
    statuses = {callback["status"] for callback in cloud.callbacks_by_task[task_id]}
    assert statuses == {row.status.value}
    assert cloud.has_exactly_its_objects(cloud.row(task_id))
    assert cloud.row(task_id).notified
    return row.status


def test_a_queued_task_that_is_cancelled_never_runs(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    begun = webui.control.stats()["begun"]
    cloud.submit(task_id)
    assert cloud.cancel(task_id).status is CANCELLED
    with running_consumer(cloud, webui.url):
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED
    assert webui.control.stats()["begun"] == begun


@pytest.mark.parametrize("after", [False, True], ids=["claiming", "claimed"])
def test_a_worker_notices_the_cancel_of_a_claimed_task_at_its_next_write(
    cloud: Cloud, webui: FakeWebUi, proxy: Proxy, task_id: str, *, after: bool
) -> None:
    begun = webui.control.stats()["begun"]
    job = proxy.hold("DynamoDB.UpdateItem", task_id, after=after)
    with running_consumer(cloud, webui.url, endpoint=proxy.url):
        cloud.submit(task_id)
        job.wait()
        assert cloud.cancel(task_id).status is CANCELLED
        job.release()
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED
    assert webui.control.stats()["begun"] == begun


def test_a_cancel_ends_the_preparation(
    cloud: Cloud, webui: FakeWebUi, slow_input: "SlowInput", task_id: str
) -> None:
    begun = webui.control.stats()["begun"]
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, tasktype="image-to-image", init_images=[slow_input.url])
        assert slow_input.was_requested.wait(20)
        assert cloud.cancel(task_id).status is CANCELLED
        slow_input.may_respond.set()
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED
    assert webui.control.stats()["begun"] == begun


def test_a_cancelled_job_has_stopped_before_the_outcome_is_written(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    begun = webui.control.stats()["begun"]
    webui.control.set("hang", jobs=1)
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id)
        webui.control.wait(begun=begun + 1)
        row = cloud.cancel(task_id)
        assert (row.status, row.cancel_requested) == (Status.RUNNING, True)
        cloud.submit(f"{task_id}-next")
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED
        assert cloud.outcome(f"{task_id}-next").status is Status.COMPLETED
    assert webui.control.stats()["max_running"] == 1


def test_a_job_that_does_not_stop_is_cancelled_and_its_engine_replaced(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    begun = webui.control.stats()["begun"]
    webui.control.set("hang", jobs=1, ignore_interrupt=True)
    with running_consumer(cloud, webui.url, engine_stop_seconds=1) as worker:
        cloud.submit(task_id)
        webui.control.wait(begun=begun + 1)
        cloud.cancel(task_id)
        assert worker.exited.wait(30)
        assert worker.exit_status == REPLACE_ENGINE
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED
        webui.control.clear()


def test_a_cancel_while_images_are_stored_results_in_either_outcome(
    cloud: Cloud, webui: FakeWebUi, proxy: Proxy, task_id: str
) -> None:
    job = proxy.hold("S3.PutObject", f"{task_id}-")
    with running_consumer(cloud, webui.url, endpoint=proxy.url):
        cloud.submit(task_id)
        job.wait()
        assert cloud.cancel(task_id).cancel_requested
        job.release()
        assert wait_for_only_outcome(cloud, task_id) in (Status.COMPLETED, CANCELLED)


@pytest.mark.parametrize("after", [False, True], ids=["finishing", "finished"])
def test_the_first_final_write_decides_between_cancel_and_completion(
    cloud: Cloud, webui: FakeWebUi, proxy: Proxy, task_id: str, *, after: bool
) -> None:
    job = proxy.hold("DynamoDB.UpdateItem", "completed", after=after)
    with running_consumer(cloud, webui.url, endpoint=proxy.url):
        cloud.submit(task_id)
        job.wait()
        if after:
            with pytest.raises(InvalidTask) as error:
                cloud.cancel(task_id)
            assert error.value.status == 409
        else:
            assert cloud.cancel(task_id).cancel_requested
        job.release()
        assert wait_for_only_outcome(cloud, task_id) is Status.COMPLETED


def test_another_worker_executes_a_cancel_if_the_first_one_died(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    begun = webui.control.stats()["begun"]
    webui.control.set("hang", jobs=1)
    faults = FaultyClients()
    with running_consumer(cloud, webui.url, faults=faults) as worker:
        cloud.submit(task_id)
        webui.control.wait(begun=begun + 1)
        # Breaks the check for cancel requests: the heartbeat ends, and with it the worker.
        faults.broken_methods.add("get_item")
        cloud.cancel(task_id)
        assert worker.ended.wait(30)
    with running_consumer(cloud, webui.url):
        assert wait_for_only_outcome(cloud, task_id) is CANCELLED


class SlowInput:
    """A server for an image that is sent only when the test allows it."""

    def __init__(self) -> None:
        self.was_requested = threading.Event()
        self.may_respond = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.was_requested.set()
                server.may_respond.wait(30)
                self.send_error(404)

            def log_message(self, *_arguments: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/image.png"


@pytest.fixture
def slow_input() -> Iterator[SlowInput]:
    """Run the server."""
    slow = SlowInput()
    threading.Thread(target=slow.server.serve_forever, daemon=True).start()
    yield slow
    slow.may_respond.set()
    slow.server.shutdown()
    slow.server.server_close()
