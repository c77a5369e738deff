"""The small job before the first task of an SD Web UI that has just started."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from container.consumer.composition import Engines
from container.consumer.engines.sdwebui.build import build_sdwebui
from container.consumer.engines.sdwebui.engine import SdWebUi
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.cloud import Cloud
from tests.support.consumers import RunningConsumer, running_consumer

SHUTDOWN_SECONDS = 5.0


@contextmanager
def started_together(cloud: Cloud, webui: FakeWebUi, **settings: Any) -> Iterator[RunningConsumer]:
    """Run a consumer that starts before SD Web UI, and so knows that no job has run there yet."""
    built_engines: list[SdWebUi] = []

    def build(*arguments: Any) -> SdWebUi:
        built_engines.append(build_sdwebui(*arguments))
        return built_engines[0]

    engines: Engines = {"sdwebui": build}
    webui.control.set("not-ready")
    with running_consumer(cloud, webui.url, engines=engines, **settings) as consumer:
        cloud.wait_until(lambda: built_engines[0]._warm_up is None or built_engines[0]._warm_up._starting)
        webui.control.clear("not-ready")
        yield consumer


def new_jobs(webui: FakeWebUi, before: int) -> list[dict[str, Any]]:
    """Return the jobs since there were `before` ones."""
    return webui.control.jobs()[before:]


def test_a_small_job_runs_before_the_first_task(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    before = len(webui.control.jobs())
    cloud.submit(task_id)
    with started_together(cloud, webui):
        row = cloud.outcome(task_id)
    first, second = new_jobs(webui, before)
    assert (first["prompt"], second["prompt"] != "") == ("", True)
    assert row.status is Status.COMPLETED


def test_a_server_that_ran_before_gets_no_warm_up_job(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    before = len(webui.control.jobs())
    cloud.submit(task_id)
    with running_consumer(cloud, webui.url):
        cloud.outcome(task_id)
    assert len(new_jobs(webui, before)) == 1


def test_a_dynamic_runtime_has_no_checkpoint_to_warm_up(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    before = len(webui.control.jobs())
    with started_together(cloud, webui, dynamic_model=True):
        cloud.submit(task_id)
        cloud.outcome(task_id)
    assert "" not in [job["prompt"] for job in new_jobs(webui, before)]


def test_a_warm_up_job_that_fails_delays_no_task(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    webui.control.set("out-of-memory", jobs=1)
    cloud.submit(task_id)
    with started_together(cloud, webui):
        row = cloud.outcome(task_id)
    assert (row.status, row.attempts) == (Status.COMPLETED, 1)


def test_a_shutdown_does_not_wait_for_the_warm_up_job(cloud: Cloud, webui: FakeWebUi) -> None:
    begun = webui.control.stats()["begun"]
    webui.control.set("hang", ignore_interrupt=True)
    with started_together(cloud, webui) as consumer:
        webui.control.wait(begun=begun + 1)
        began_at = time.monotonic()
        consumer.shutting_down.set()
        assert consumer.ended.wait(SHUTDOWN_SECONDS)
        assert time.monotonic() - began_at < SHUTDOWN_SECONDS
    webui.control.clear()
    webui.control.wait(ended=begun + 1)
