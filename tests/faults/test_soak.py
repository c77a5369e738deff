"""Every accepted task has exactly one outcome, whatever breaks between the API and its callback.

Tasks of both runtime types are mixed, some with webhooks, and no image shows anything of another task.
They are submitted and cancelled by HTTP; sweep and dead-letter function run as deployed. `FAULTS_TASKS` says
how many tasks, `FAULTS_SEED` runs a printed seed again.
"""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import pytest

from container.consumer.engines.comfyui.job_files import AGAIN_SECONDS
from domain.row import Row, Status
from functions.sweep.sweep import STUCK_SECONDS
from local.pipeline import run_pipeline
from tests.faults.deployed import RUNTIMES, Deployed, run_sweeps
from tests.faults.driver import FAULT_FRACTION, Driver, run_driver
from tests.faults.soak_task import SoakTask
from tests.faults.webhook_receiver import WebhookReceiver, run_webhook_receiver
from tests.support.proxy import Proxy, running_proxy

TASKS: Final = int(os.environ.get("FAULTS_TASKS", "20"))
GPU_WORKERS: Final = (*RUNTIMES, *RUNTIMES)
WEBHOOK_EVERY: Final = 4
TASKS_PER_FAULT: Final = 2
LOST_FRACTION: Final = 0.07
"""The fraction of tasks whose message the API fails to publish."""
FOREIGN_FRACTION: Final = 0.05
"""The number of messages that are no tasks, as a fraction of the number of tasks."""
MIN_TASKS_FOR_UNROUTED: Final = 200
"""With so many tasks, the first are older than the sweep's `STUCK_SECONDS` when the queue is empty, so that
the sweep finds them."""
UNROUTED: Final = 5 if TASKS >= MIN_TASKS_FOR_UNROUTED else 0
"""How many of the first tasks have a message that SNS accepts but delivers to no queue."""
LARGE_EVERY: Final = 10
SENT_TWICE_EVERY: Final = 7
CLEANUP_SECONDS: Final = max(AGAIN_SECONDS) + 30.0
FINISH_SECONDS: Final = 240.0
"""How long after the last fault all tasks may take to finish: the longest delay between attempts, a lease or
two, and the tasks in the queue."""


@pytest.mark.soak
@pytest.mark.xdist_group("soak")
@pytest.mark.timeout(600 + 6 * TASKS)
def test_every_accepted_task_has_exactly_one_outcome(assembly: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
    print(f"\nseed {seed}, {TASKS} tasks")
    with (
        run_pipeline(assembly=assembly, runtimes=[]) as running,
        running_proxy(running.aws.endpoint_url, seed=seed) as proxy,
    ):
        deployed = Deployed(running, proxy)
        with (
            run_webhook_receiver(deployed) as webhook_receiver,
            run_driver(deployed, seed=seed, gpu_workers=GPU_WORKERS) as driver,
            run_sweeps(deployed),
        ):
            started_at = time.monotonic()
            proxy.fault_fraction = FAULT_FRACTION
            lost = submit_with_faults(deployed, driver, webhook_receiver.url)
            driver.restart_ended(2)
            driver.stop_faults()
            faults_stopped_at = time.monotonic()
            wait_until_all_finished(deployed, driver)
            finished_at = time.monotonic()
            remaining_files = wait_for_cleanup(driver)
            max_running = max(worker.max_running for worker in driver.gpu_workers)
        rows = [deployed.row(task) for task in deployed.accepted]
        outcome_counts = Counter(
            row.status.value + (f" {row.item['error']['code']}" if row.item.get("error") else "")
            for row in rows
        )
        fault_count = sum(proxy.fault_counts.values())
        print(
            f"{dict(outcome_counts)}; faults in {fault_count} of {proxy.call_count} calls; "
            f"{dict(driver.fault_counts)}; {dict(driver.last_lines)}; "
            f"{len(lost)} lost publishes, {UNROUTED} delivered to no queue, "
            f"{len(deployed.foreign)} foreign messages, "
            f"{len(deployed.dead_lettered)} dead-lettered tasks; the sweep: {dict(deployed.sweep_totals)}; "
            f"{deployed.retried_requests} requests sent again; "
            f"webhooks of {len(webhook_receiver.statuses)} tasks, "
            f"{len(webhook_receiver.refused)} refused once; "
            f"{faults_stopped_at - started_at:.0f} s of faults, "
            f"{finished_at - faults_stopped_at:.0f} s to finish: "
            f"{TASKS * 60 / (finished_at - started_at):.0f} tasks a minute"
        )
        for row in rows:
            check_one_outcome(deployed, row, seed)
            check_webhook(deployed.accepted[row.id], row, webhook_receiver, seed)
        check_images(deployed, rows)
        archived = set(deployed.archived())
        assert set(deployed.foreign) <= archived <= {*deployed.foreign, *deployed.dead_lettered}, (
            f"seed {seed}"
        )
    assert max_running <= 1
    assert not remaining_files, f"seed {seed}"
    assert outcome_counts["completed"] >= TASKS / 2, f"seed {seed}: {outcome_counts}"
    needed_the_sweep = [row.id for row in rows if row.id in lost and row.status is Status.COMPLETED]
    # A run that ends with an error has no report: what it did before does not count here.
    assert deployed.sweep_totals["republished"] or not needed_the_sweep, (
        f"seed {seed}: {deployed.sweep_totals}"
    )


def submit_with_faults(deployed: Deployed, driver: Driver, webhook_url: str) -> Collection[str]:
    """Submit all tasks while faults are injected; return those whose message the API could not publish."""
    rng = random.Random(driver.seed)
    lost = set(rng.sample(range(UNROUTED, TASKS), max(1, round(TASKS * LOST_FRACTION))))
    foreign = set(rng.sample(range(TASKS), max(1, round(TASKS * FOREIGN_FRACTION))))
    for number in range(TASKS):
        runtime, images = rng.choice(RUNTIMES), rng.randint(1, 3)
        is_large, is_sent_twice = (
            number % LARGE_EVERY == LARGE_EVERY - 1,
            number % SENT_TWICE_EVERY == SENT_TWICE_EVERY - 1,
        )
        task = SoakTask(
            number=number,
            runtime=runtime,
            images=1 if is_large else images,
            is_large=is_large,
            webhook=webhook_url if number % WEBHOOK_EVERY == WEBHOOK_EVERY - 1 else None,
        )
        with failing_publish(deployed.proxy, task, lost=number in lost, unrouted=number < UNROUTED):
            deployed.submit(task, twice=is_sent_twice)
        if number in foreign:
            deployed.publish_foreign(rng)
        if number % TASKS_PER_FAULT == TASKS_PER_FAULT - 1:
            driver.inject_fault()
            driver.restart_ended(rng.uniform(0.5, 1.5))
    return {f"task-{number}" for number in lost}


def failing_publish(
    proxy: Proxy, task: SoakTask, *, lost: bool, unrouted: bool
) -> AbstractContextManager[None]:
    """Make the API's publish of a task's message fail, or make SNS find no queue for its message."""
    quoted_id = f"%22{task.id}%22"
    if lost:
        return proxy.refusing("SNS.Publish", quoted_id)
    if unrouted:
        no_runtime = "x" * len(task.runtime)
        return proxy.rewriting(
            "SNS.Publish", quoted_id, f"Value={task.runtime}".encode(), f"Value={no_runtime}".encode()
        )
    return nullcontext()


def check_one_outcome(deployed: Deployed, row: Row, seed: int) -> None:
    """Check that row, API, callbacks and objects show the same single outcome of a task."""
    callbacks = [callback.body for callback in deployed.pipeline.callbacks.of_task(row.id)]
    outcomes = {
        (body["status"], tuple(body["image_url"]), body["output_url"])
        for body in callbacks
        if body["result"] is not None
    }
    images = tuple(row.item["images"])
    assert outcomes == {(row.status.value, images, row.text("output"))}, f"seed {seed}: {row.id} {outcomes}"
    assert deployed.status(row.id) == row.status.value, f"seed {seed}: {row.id}"
    named_objects = [*images, *filter(None, [row.text("output")])]
    bucket = deployed.pipeline.output_bucket
    objects = deployed.pipeline.objects(f"{row.keys.folder}/")
    assert objects == sorted(name.removeprefix(f"s3://{bucket}/") for name in named_objects), (
        f"seed {seed}: {row} {objects}"
    )
    expected_count = deployed.accepted[row.id].images if row.status is Status.COMPLETED else 0
    assert len(images) == expected_count, f"seed {seed}: {row}"


def check_webhook(task: SoakTask, row: Row, webhook_receiver: WebhookReceiver, seed: int) -> None:
    """Check that the receiver of a task got its outcome as one event, if it has a webhook."""
    expected = {row.status.value} if task.webhook else set()
    assert webhook_receiver.statuses.get(row.id, set()) == expected, (
        f"seed {seed}: {row.id} {webhook_receiver.statuses}"
    )
    assert len(webhook_receiver.webhook_ids.get(row.id, ())) == len(expected), f"seed {seed}: {row.id}"


def check_images(deployed: Deployed, rows: Collection[Row]) -> None:
    """Check that the images of each task show it, and were made from no input of another task."""
    owners: dict[str, str] = {}
    for row in rows:
        if row.status is Status.COMPLETED:
            images = [deployed.pipeline.download(link) for link in row.item["images"]]
            reference = deployed.accepted[row.id].check_images(images)
            assert reference is None or owners.setdefault(reference, row.id) == row.id


def wait_for_cleanup(driver: Driver) -> list[str]:
    """Wait until no engine has files of tasks, which are removed after their outcome; return those left."""
    deadline = time.monotonic() + CLEANUP_SECONDS
    while remaining := [path for worker in driver.gpu_workers for path in worker.remaining_files()]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return remaining


def wait_until_all_finished(deployed: Deployed, driver: Driver) -> None:
    """Wait until all callbacks were sent and all queues are empty, while ended workers are restarted."""
    deadline = time.monotonic() + FINISH_SECONDS + TASKS / 2 + (STUCK_SECONDS if UNROUTED else 0)
    while True:
        driver.restart_ended(0.5)
        deployed.receive_messages()
        unfinished = [task for task in deployed.accepted if not deployed.row(task).notified]
        message_counts = deployed.message_counts()
        if not unfinished and not message_counts:
            return
        assert time.monotonic() < deadline, (
            f"seed {driver.seed}: {message_counts} {[deployed.row(task) for task in unfinished]}"
        )
