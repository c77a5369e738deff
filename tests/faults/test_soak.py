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

from domain.row import Row, Status
from functions.sweep.sweep import STUCK_SECONDS
from local.pipeline import run_pipeline
from tests.faults.asked import Asked
from tests.faults.deployed import RUNTIMES, Deployed, sweeping
from tests.faults.driver import FAULT_SHARE, Driver, driving
from tests.faults.hooks import Hooks, receiving_hooks
from tests.support.proxy import Proxy, running_proxy

TASKS: Final = int(os.environ.get("FAULTS_TASKS", "30"))
GPU_WORKERS: Final = (*RUNTIMES, *RUNTIMES)
WEBHOOK_EVERY: Final = 4
SUBMITTED_AT_ONCE: Final = 2
LOST_SHARE: Final = 0.07
"""Of all submits: those whose message the tasks topic never gets from the API."""
FOREIGN_SHARE: Final = 0.05
ASTRAY_TASKS: Final = 200
"""With so many tasks the first are older than the sweep's `STUCK_SECONDS` when the queue is empty."""
ASTRAY: Final = 5 if TASKS >= ASTRAY_TASKS else 0
"""So many of the first tasks have a message that SNS takes and brings nowhere."""
LARGE_EVERY: Final = 10
TWICE_EVERY: Final = 7
SETTLE_SECONDS: Final = 240.0
"""After the last fault: the longest delay between attempts, a lease or two, and the tasks in the queue."""


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
            receiving_hooks(deployed) as hooks,
            driving(deployed, seed=seed, gpu_workers=GPU_WORKERS) as driver,
            sweeping(deployed),
        ):
            began = time.monotonic()
            proxy.fault_fraction = FAULT_SHARE
            lost = submit_with_faults(deployed, driver, hooks.url)
            driver.restart_ended(2)
            driver.stop_faults()
            submitted = time.monotonic()
            settle(deployed, driver)
            ended = time.monotonic()
            left_behind = [path for worker in driver.gpu_workers for path in worker.left_behind()]
            max_running = max(worker.max_running for worker in driver.gpu_workers)
        rows = [deployed.row(task) for task in deployed.accepted]
        ends = Counter(
            row.status.value + (f" {row.item['error']['code']}" if row.item.get("error") else "")
            for row in rows
        )
        fault_count = sum(proxy.fault_counts.values())
        print(
            f"{dict(ends)}; faults in {fault_count} of {proxy.call_count} calls; {dict(driver.done)}; "
            f"{dict(driver.last_lines)}; "
            f"{len(lost)} lost publishes, {ASTRAY} gone astray, {len(deployed.foreign)} foreign messages, "
            f"{len(deployed.dead_lettered)} dead-lettered tasks; the sweep: {dict(deployed.swept)}; "
            f"{deployed.retried} requests sent again; "
            f"webhooks of {len(hooks.statuses)} tasks, {len(hooks.refused)} refused once; "
            f"{submitted - began:.0f} s of faults, "
            f"{ended - submitted:.0f} s to settle: {TASKS * 60 / (ended - began):.0f} tasks a minute"
        )
        for row in rows:
            has_one_outcome(deployed, row, seed)
            has_its_webhook(deployed.accepted[row.id], row, hooks, seed)
        show_only_themselves(deployed, rows)
        kept = set(deployed.archived())
        assert set(deployed.foreign) <= kept <= {*deployed.foreign, *deployed.dead_lettered}, f"seed {seed}"
    assert max_running <= 1
    assert not left_behind, f"seed {seed}"
    assert ends["completed"] >= TASKS / 2, f"seed {seed}: {ends}"
    needed_the_sweep = [row.id for row in rows if row.id in lost and row.status is Status.COMPLETED]
    # A run that ends with an error has no report: what it did before does not count here.
    assert deployed.swept["republished"] or not needed_the_sweep, f"seed {seed}: {deployed.swept}"


def submit_with_faults(deployed: Deployed, driver: Driver, hook_url: str) -> Collection[str]:
    """Submit all tasks while faults are injected; return those whose message the API could not publish."""
    rng = random.Random(driver.seed)
    lost = set(rng.sample(range(ASTRAY, TASKS), max(1, round(TASKS * LOST_SHARE))))
    foreign = set(rng.sample(range(TASKS), max(1, round(TASKS * FOREIGN_SHARE))))
    for number in range(TASKS):
        runtime, images = rng.choice(RUNTIMES), rng.randint(1, 3)
        large, twice = number % LARGE_EVERY == LARGE_EVERY - 1, number % TWICE_EVERY == TWICE_EVERY - 1
        asked = Asked(
            number=number,
            runtime=runtime,
            images=1 if large else images,
            large=large,
            webhook=hook_url if number % WEBHOOK_EVERY == WEBHOOK_EVERY - 1 else None,
        )
        with failing_publish(deployed.proxy, asked, lost=number in lost, astray=number < ASTRAY):
            deployed.submit(asked, twice=twice)
        if number in foreign:
            deployed.publish_foreign(rng)
        if number % SUBMITTED_AT_ONCE == SUBMITTED_AT_ONCE - 1:
            driver.inject_fault()
            driver.restart_ended(rng.uniform(0.5, 1.5))
    return {f"task-{number}" for number in lost}


def failing_publish(proxy: Proxy, asked: Asked, *, lost: bool, astray: bool) -> AbstractContextManager[None]:
    """Make the API's publish of a task's message fail, or make SNS find no queue for its message."""
    task = f"%22{asked.id}%22"
    if lost:
        return proxy.refusing("SNS.Publish", task)
    if astray:
        nobody = "x" * len(asked.runtime)
        return proxy.rewriting(
            "SNS.Publish", task, f"Value={asked.runtime}".encode(), f"Value={nobody}".encode()
        )
    return nullcontext()


def has_one_outcome(deployed: Deployed, row: Row, seed: int) -> None:
    """Check that row, API, callbacks and objects show the same single outcome of a task."""
    bodies = [each.body for each in deployed.pipeline.callbacks.of_task(row.id)]
    outcomes = {
        (body["status"], tuple(body["image_url"]), body["output_url"])
        for body in bodies
        if body["result"] is not None
    }
    images = tuple(row.item["images"])
    assert outcomes == {(row.status.value, images, row.text("output"))}, f"seed {seed}: {row.id} {outcomes}"
    assert deployed.status(row.id) == row.status.value, f"seed {seed}: {row.id}"
    named = [*images, *filter(None, [row.text("output")])]
    bucket = deployed.pipeline.output_bucket
    objects = deployed.pipeline.objects(f"{row.keys.folder}/")
    assert objects == sorted(name.removeprefix(f"s3://{bucket}/") for name in named), (
        f"seed {seed}: {row} {objects}"
    )
    wanted = deployed.accepted[row.id].images if row.status is Status.COMPLETED else 0
    assert len(images) == wanted, f"seed {seed}: {row}"


def has_its_webhook(asked: Asked, row: Row, hooks: Hooks, seed: int) -> None:
    """Check that the receiver of a task got its outcome as one event, if it has a webhook."""
    wanted = {row.status.value} if asked.webhook else set()
    assert hooks.statuses.get(row.id, set()) == wanted, f"seed {seed}: {row.id} {hooks.statuses}"
    assert len(hooks.webhook_ids.get(row.id, ())) == len(wanted), f"seed {seed}: {row.id}"


def show_only_themselves(deployed: Deployed, rows: Collection[Row]) -> None:
    """Check that the images of each task show it, and were made from no input of another task."""
    owners: dict[str, str] = {}
    for row in rows:
        if row.status is Status.COMPLETED:
            images = [deployed.pipeline.download(link) for link in row.item["images"]]
            reference = deployed.accepted[row.id].reference(images)
            assert reference is None or owners.setdefault(reference, row.id) == row.id


def settle(deployed: Deployed, driver: Driver) -> None:
    """Wait until all callbacks were sent and all queues are empty, while ended workers are restarted."""
    deadline = time.monotonic() + SETTLE_SECONDS + TASKS / 2 + (STUCK_SECONDS if ASTRAY else 0)
    while True:
        driver.restart_ended(0.5)
        deployed.receive_messages()
        open_ = [task for task in deployed.accepted if not deployed.row(task).notified]
        left = deployed.message_counts()
        if not open_ and not left:
            return
        assert time.monotonic() < deadline, (
            f"seed {driver.seed}: {left} {[deployed.row(task) for task in open_]}"
        )
