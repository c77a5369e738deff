"""Every task has exactly one outcome, whatever breaks: `make soak` with 200 tasks, here with a few.

The seed is printed; `FAULTS_SEED` runs it again, `FAULTS_TASKS` says how many tasks.
"""

import os
import random
import secrets
import time
from collections import Counter
from typing import Final

import pytest

from domain.row import Status
from local.emulator import Emulator
from tests.consumer.aws import Cloud
from tests.consumer.test_webui_faults import has_exactly_its_objects
from tests.faults.driver import FAULT_SHARE, Driver, driving
from tests.faults.proxy import proxy as running_proxy

TASKS: Final = int(os.environ.get("FAULTS_TASKS", "40"))
PLACES: Final = 3
SUBMITTED_AT_ONCE: Final = 2
SETTLE_SECONDS: Final = 150.0
"""After the last strike: the longest delay between tries, and a lease or two."""


@pytest.mark.timeout(60 + 10 * TASKS)
def test_every_task_has_exactly_one_outcome(aws: Emulator, cloud: Cloud) -> None:
    """One row, one story in all callbacks, exactly its objects, and empty queues."""
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
    print(f"\nseed {seed}, {TASKS} tasks")  # noqa: T201 - to run it again
    rng = random.Random(seed)  # noqa: S311 - drawn again from a seed
    with (
        running_proxy(aws.endpoint_url, seed=seed) as proxy,
        driving(cloud, proxy, seed=seed, places=PLACES) as driver,
    ):
        proxy.share = FAULT_SHARE
        messages = []
        while len(messages) < TASKS:
            for _ in range(SUBMITTED_AT_ONCE):
                messages.append(cloud.submit(f"task-{len(messages)}", batch_size=rng.randint(1, 3)))
            driver.strike(messages)
            driver.look_after(rng.uniform(0.5, 1.5))
        driver.look_after(2)
        driver.calm()
        settle(cloud, driver, [message.task.id for message in messages])
        struck = sum(proxy.struck.values())
        most_at_once = max(place.most_at_once for place in driver.places)
    rows = [cloud.row(message.task.id) for message in messages]
    ends = Counter(
        row.status.value + (f" {row.item['error']['code']}" if row.item.get("error") else "") for row in rows
    )
    print(f"{dict(ends)}; struck {struck} of {proxy.passed} calls; {dict(driver.done)}")  # noqa: T201 - the findings
    for message, row in zip(messages, rows, strict=True):
        told = [one for one in cloud.told[row.id] if one["result"] is not None]
        stories = {(one["status"], tuple(one["image_url"]), one["output_url"]) for one in told}
        images = tuple(row.item["images"])
        assert stories == {(row.status.value, images, row.text("output"))}, f"seed {seed}: {row.id} {stories}"
        assert has_exactly_its_objects(cloud, row), f"seed {seed}: {row} {cloud.objects(f'output/{row.id}/')}"
        if row.status is Status.COMPLETED:
            assert len(images) == message.task.content["batch_size"], f"seed {seed}: {row.id}"
        else:
            assert images == ()
    assert cloud.left() == cloud.left(cloud.dead_letter_url) == (0, 0), f"seed {seed}"
    assert most_at_once <= 1
    assert ends["completed"] >= TASKS / 2, f"seed {seed}: {ends}"


def settle(cloud: Cloud, driver: Driver, tasks: list[str]) -> None:
    """Wait until every task was told and every message is gone, while ECS looks after the workers."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        driver.look_after(0.5)
        cloud.hear()
        open_ = [task for task in tasks if not cloud.row(task).notified]
        if not open_ and cloud.left() == (0, 0):
            break
        assert time.monotonic() < deadline, (
            f"seed {driver.seed}: {cloud.left()} {[cloud.row(t) for t in open_]}"
        )
    cloud.hear(wait_seconds=1)
