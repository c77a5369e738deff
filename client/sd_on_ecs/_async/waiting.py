"""Follow a task until it has ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final, cast
from urllib.parse import quote

import httpx

from sd_on_ecs._async.transport import AsyncTransport
from sd_on_ecs.api_types import Task
from sd_on_ecs.errors import WaitTimeout

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
LONGEST_WAIT_SECONDS: Final = 25
"""What the API allows for one request."""

POSITION_SECONDS: Final = 5
"""How often the position of a queued task is read, because a new one does not end a wait."""

PAUSE_SECONDS: Final = 2.0


def task_path(task_id: str) -> str:
    """Return the path of a task in the API."""
    return f"/v1alpha2/tasks/{quote(task_id, safe='')}"


async def follow(transport: AsyncTransport, task_id: str, timeout: float | None) -> AsyncIterator[Task]:
    """Yield a task now, whenever its state, progress or position changes, and last when it has ended."""
    deadline = None if timeout is None else time.monotonic() + timeout
    response = await transport.call("GET", task_path(task_id))
    while True:
        task = cast("Task", response.json())
        yield task
        if task["status"] in FINAL:
            return
        position = task["position"]
        tag = response.headers.get("etag", "")
        while True:
            left = float("inf") if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(task_id, timeout or 0)
            longest = LONGEST_WAIT_SECONDS if position is None else POSITION_SECONDS
            response = await _wait(transport, task_id, tag, max(1, int(min(longest, left))))
            if response.status_code != 304:
                break
            if position is not None:
                response = await transport.call("GET", task_path(task_id))
                if response.json()["position"] != position or response.headers.get("etag") != tag:
                    break


async def _wait(transport: AsyncTransport, task_id: str, tag: str, seconds: int) -> httpx.Response:
    """Return the task when it differs from what `tag` stands for, or else the status 304."""
    response = await transport.call(
        "GET",
        f"{task_path(task_id)}/wait",
        query={"seconds": seconds},
        headers={"if-none-match": tag},
        accepted=(304, 429),
    )
    if response.status_code != 429:
        return response
    # Only few callers can wait at the same time, so the others read in between.
    await asyncio.sleep(PAUSE_SECONDS)
    return await transport.call("GET", task_path(task_id))
