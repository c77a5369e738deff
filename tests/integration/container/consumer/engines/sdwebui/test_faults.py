"""What happens to a task for each fault of SD Web UI."""

import threading
from typing import Any

import httpx
import pytest

from container.consumer.composition import Engines
from container.consumer.engines.base import ReplaceEngine
from container.consumer.engines.sdwebui.build import build_sdwebui
from domain.errors import ErrorCode
from domain.row import Row, Status
from local.fakes.sdwebui.process import FakeWebUi, start
from local.fakes.sdwebui.process import running as fake_webui
from tests.support.cloud import Cloud
from tests.support.consumer_fixtures import FAST
from tests.support.consumers import running_consumer
from tests.support.failing_aws import FaultyClients

COMPLETED = Status.COMPLETED
FAILED = Status.FAILED


def code(row: Row) -> str:
    """Return the code of a row's error."""
    return str(row.item["error"]["code"])


def test_a_task_without_a_fault_is_completed(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, batch_size=2)
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 1)
    assert len(row.item["images"]) == 2
    assert cloud.has_exactly_its_objects(row)
    assert cloud.message_counts() == (0, 0)


TRANSIENT_FAULTS = {
    "connection closed without a response": {"name": "close", "jobs": 1},
    "response cut off": {"name": "truncate", "jobs": 1},
    "interrupted by another client": {"name": "interrupted", "jobs": 1},
    "error of an unknown cause": {"name": "error", "jobs": 1, "kind": "connection"},
    "no model yet": {"name": "error", "jobs": 1, "kind": "no-model"},
}


@pytest.mark.parametrize("fault", TRANSIENT_FAULTS.values(), ids=TRANSIENT_FAULTS.keys())
def test_a_task_with_a_retryable_error_is_completed_by_its_second_attempt(
    cloud: Cloud, webui: FakeWebUi, task_id: str, fault: dict[str, Any]
) -> None:
    webui.control.set(**fault)
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id)
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 2)
    assert len(row.fences) == 2
    assert cloud.has_exactly_its_objects(row)
    assert webui.control.stats()["max_running"] == 1


FAULTS_OF_THE_TASK: dict[str, tuple[dict[str, Any], ErrorCode]] = {
    "GPU memory": ({"name": "out-of-memory"}, ErrorCode.OUT_OF_MEMORY),
    "memory": ({"name": "error", "kind": "host-memory"}, ErrorCode.OUT_OF_MEMORY),
    "a checkpoint that does not load": (
        {"name": "error", "kind": "corrupt-checkpoint"},
        ErrorCode.MODEL_UNUSABLE,
    ),
    "no images": ({"name": "no-images"}, ErrorCode.NO_IMAGES),
    "wrong model": ({"name": "wrong-model"}, ErrorCode.WRONG_MODEL),
    "bad content": ({"name": "error", "kind": "zero-division"}, ErrorCode.ENGINE_ERROR),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS_OF_THE_TASK.values(), ids=FAULTS_OF_THE_TASK.keys())
def test_a_permanent_error_fails_the_task_at_once_and_the_next_task_runs(
    cloud: Cloud, webui: FakeWebUi, task_id: str, fault: dict[str, Any], expected: ErrorCode
) -> None:
    webui.control.set(**fault, jobs=1)
    with running_consumer(cloud, webui.url, model_filename="v1-5-pruned-emaonly.safetensors"):
        cloud.submit(task_id)
        cloud.submit(f"{task_id}-next")
        row = cloud.outcome(task_id)
        assert cloud.outcome(f"{task_id}-next").status is COMPLETED
    assert (row.status, code(row), row.attempts) == (FAILED, expected.value, 1)
    output_document = cloud.output_document(task_id)
    assert (output_document["error"]["code"], output_document["images"]) == (expected.value, [])
    assert cloud.has_exactly_its_objects(row)


def test_a_checkpoint_that_another_client_selected_costs_a_try_and_not_the_task(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    with running_consumer(cloud, webui.url, model_filename="v1-5-pruned-emaonly.safetensors"):
        cloud.submit(f"{task_id}-first")
        assert cloud.outcome(f"{task_id}-first").status is COMPLETED
        models = httpx.get(f"{webui.url}/sdapi/v1/sd-models").json()
        other = next(model["title"] for model in models if model["model_name"] != "v1-5-pruned-emaonly")
        httpx.post(f"{webui.url}/sdapi/v1/options", json={"sd_model_checkpoint": other}).raise_for_status()
        cloud.submit(task_id)
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 2)
    assert cloud.output_document(task_id)["images"][0]["model"] == "v1-5-pruned-emaonly"


def test_too_few_images_get_a_warning_in_the_output_document(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("fewer-images", jobs=1)
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, batch_size=3)
        row = cloud.outcome(task_id)
    assert row.status is COMPLETED
    assert len(row.item["images"]) == 2
    assert cloud.output_document(task_id)["warnings"] == [
        {"path": "", "message": "SD Web UI returned 2 of 3 images."}
    ]


def test_an_unknown_error_fails_the_task_if_it_occurs_again(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("error", jobs=1, kind="connection")
    webui.control.set("error", jobs=1, kind="connection", after=1)
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id)
        row = cloud.outcome(task_id)
    assert (row.status, code(row), row.attempts) == (FAILED, "engine_error", 2)


FAULTS_OF_EVERY_JOB = {
    "as recorded": [{"name": "unhealthy", "jobs": 1, "after": 1}],
    # The consumer sends a minimal job after one that failed. If that fails too, Web UI is unhealthy.
    "in unknown words": [{"name": "error", "kind": "connection", "jobs": 2}],
}


@pytest.mark.parametrize("faults", FAULTS_OF_EVERY_JOB.values(), ids=FAULTS_OF_EVERY_JOB.keys())
def test_a_web_ui_that_fails_every_job_recovers_and_no_task_loses_an_attempt(
    cloud: Cloud, webui: FakeWebUi, task_id: str, faults: list[dict[str, Any]]
) -> None:
    for fault in faults:
        webui.control.set(**fault)
    tasks = [f"{task_id}-{number}" for number in range(4)]
    with running_consumer(cloud, webui.url) as worker:
        for task in tasks:
            cloud.submit(task)
        rows = [cloud.outcome(task) for task in tasks]
    assert {(row.status, row.attempts) for row in rows} == {(COMPLETED, 1)}
    assert worker.error is None


def test_a_web_ui_that_cannot_recover_is_replaced_and_no_task_loses_an_attempt(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("error", kind="no-checkpoint-loaded")
    tasks = [f"{task_id}-{number}" for number in range(3)]
    with running_consumer(cloud, webui.url) as worker:
        for task in tasks:
            cloud.submit(task)
        assert worker.ended.wait(30)
    assert isinstance(worker.error, ReplaceEngine)
    assert {(cloud.row(task).status, cloud.row(task).attempts) for task in tasks} == {(Status.QUEUED, 0)}
    assert cloud.message_counts() == (3, 0)
    webui.control.clear()
    finish(cloud, webui, tasks)


def test_a_timeout_stops_the_job_before_the_next_one_begins_and_fails_the_task(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("hang", jobs=1)
    with running_consumer(cloud, webui.url, inference_timeout_seconds=0.5):
        cloud.submit(task_id)
        row = cloud.outcome(task_id)
        cloud.submit(f"{task_id}-next")
        assert cloud.outcome(f"{task_id}-next").status is COMPLETED
    assert (row.status, code(row), row.attempts) == (FAILED, "inference_timeout", 1)
    assert webui.control.stats()["max_running"] == 1


def test_a_web_ui_that_does_not_stop_is_replaced_and_the_task_retried_once(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("hang", ignore_interrupt=True)
    cloud.submit(task_id)
    engine_ids = []
    for _ in range(2):
        with running_consumer(
            cloud, webui.url, inference_timeout_seconds=0.5, engine_stop_seconds=1
        ) as worker:
            assert worker.ended.wait(30)
        assert isinstance(worker.error, ReplaceEngine)
        row = cloud.row(task_id)
        engine_ids.append((row.status, row.attempts))
        release_hung(webui)
    assert engine_ids == [(Status.QUEUED, 1), (FAILED, 2)]
    assert code(cloud.outcome(task_id)) == "inference_timeout"


def test_no_message_is_received_before_the_api_responds(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    webui.control.set("not-ready")
    cloud.submit(task_id)
    with running_consumer(cloud, webui.url) as worker:
        assert not worker.ended.wait(1)
        assert cloud.message_counts() == (1, 0)
        webui.control.clear()
        assert cloud.outcome(task_id).attempts == 1


@pytest.mark.parametrize("fault", ["not-ready", "refuse"])
def test_a_worker_waits_for_a_web_ui_that_restarts_between_two_jobs(
    cloud: Cloud, webui: FakeWebUi, task_id: str, fault: str
) -> None:
    engine = Observed()
    with running_consumer(cloud, webui.url, engines=engine.registry):
        cloud.submit(f"{task_id}-first")
        cloud.outcome(f"{task_id}-first")
        webui.control.set(fault)
        engine.awaited.clear()
        cloud.submit(task_id)
        assert engine.awaited.wait(20)
        webui.control.clear()
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 2)


def test_a_worker_waits_for_a_web_ui_that_crashes_during_a_job(cloud: Cloud, task_id: str) -> None:
    first = start(**FAST, fault=["crash:1"])
    with running_consumer(cloud, first.url):
        cloud.submit(task_id)
        first.process.wait(30)
        first.stop()
        with fake_webui(port=first.port, **FAST):
            row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 2)


def test_a_connection_that_web_ui_closed_while_idle_costs_no_attempt(cloud: Cloud, task_id: str) -> None:
    engine = Observed()
    with (
        fake_webui(**FAST, keep_alive_seconds=1) as webui,
        running_consumer(cloud, webui.url, engines=engine.registry),
    ):
        cloud.submit(f"{task_id}-first")
        cloud.outcome(f"{task_id}-first")
        engine.wait_until_disconnected()
        cloud.submit(task_id)
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (COMPLETED, 1)


def test_a_worker_whose_heartbeat_fails_stops_and_another_one_takes_over(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("hang", jobs=1)
    faults = FaultyClients()
    with running_consumer(cloud, webui.url, faults=faults) as worker:
        begun = webui.control.stats()["begun"]
        cloud.submit(task_id)
        webui.control.wait(begun=begun + 1)
        faults.broken_methods.add("change_message_visibility_batch")
        assert worker.ended.wait(30)
    assert isinstance(worker.error, RuntimeError)
    assert cloud.row(task_id).status is Status.RUNNING  # nothing was written without a heartbeat
    assert cloud.objects(f"output/{task_id}/") == []
    finish(cloud, webui, [task_id])


class Observed:
    """An engine that sets `awaited` when the worker begins to wait for it."""

    def __init__(self) -> None:
        self.awaited = threading.Event()
        self.registry: Engines = {"sdwebui": self._build}
        self._engine: Any = None

    def _build(self, *arguments: Any) -> Any:
        self._engine = build_sdwebui(*arguments)
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def wait_ready(self, stop: threading.Event, seconds: float) -> bool:
        """Wait as the engine does."""
        self.awaited.set()
        return bool(self._engine.wait_ready(stop, seconds))

    def wait_until_disconnected(self) -> None:
        """Wait until the server has closed all connections for jobs."""
        ended = threading.Event()
        while self._engine._webui.is_same_process():
            ended.wait(0.05)


def release_hung(webui: FakeWebUi) -> None:
    """Release a hanging job and wait until it has ended."""
    webui.control.clear()
    webui.control.wait(ended=webui.control.stats()["begun"])
    webui.control.set("hang", ignore_interrupt=True)


def finish(cloud: Cloud, webui: FakeWebUi, tasks: list[str]) -> None:
    """Let another worker complete an unfinished task."""
    webui.control.clear()
    with running_consumer(cloud, webui.url):
        assert {cloud.outcome(task).status for task in tasks} == {COMPLETED}
