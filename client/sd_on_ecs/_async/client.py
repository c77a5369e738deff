"""The client of a deployment."""

import asyncio
import builtins
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote

import httpx

from sd_on_ecs._async.downloading import download
from sd_on_ecs._async.transport import TIMEOUT, AsyncTransport
from sd_on_ecs._async.waiting import FINAL, PAUSE_SECONDS, follow, task_path
from sd_on_ecs.api_types import (
    ListedTask,
    Model,
    Runtime,
    RuntimeDetails,
    Status,
    SubmittedV1Alpha2,
    Task,
    Upload,
)
from sd_on_ecs.bodies import names_checkpoint, new_id
from sd_on_ecs.connection import find_connection, normalize_endpoint
from sd_on_ecs.errors import Conflict, InputError, TaskFailed, WaitTimeout, storage_error
from sd_on_ecs.inputs import Local, copied, find_local, read_local
from sd_on_ecs.retrying import DEFAULT_RETRIES, Retries

PAGE: Final = 100
MODELS_PAGE: Final = 1000
MAX_LISTED: Final = 1000
"""How far back the list is read for tasks that others have followed."""


class AsyncClient:
    """Calls the API of a deployment.

    Requests are sent again after lost connections, 429 and 5xx where that is safe. Reading is, and submitting
    is too, because a task with the same id and content is the same task.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        *,
        retries: Retries = DEFAULT_RETRIES,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self.endpoint = normalize_endpoint(endpoint)
        self._transport = AsyncTransport(self.endpoint, key, retries=retries, timeout=timeout)
        self._runtimes: Sequence[Runtime] | None = None

    @classmethod
    def find(
        cls,
        profile: str | None = None,
        *,
        retries: Retries = DEFAULT_RETRIES,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> Self:
        """Return a client for the deployment that the command line would use.

        That is the one in the environment (SD_ON_ECS_ENDPOINT and SD_ON_ECS_KEY), of a profile, or of a
        running `make local`.
        """
        found = find_connection(profile=profile, environment=os.environ)
        return cls(found.endpoint, found.key, retries=retries, timeout=timeout)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def submit(self, body: Mapping[str, Any]) -> SubmittedV1Alpha2:
        """Submit a task and return what the API answered; files and bytes in the body are uploaded before.

        A body of `v1alpha1` is accepted too. Without a runtime, the only one that runs such tasks is used.
        """
        sent = await self.upload_files(body)
        version = "v1alpha1" if "alwayson_scripts" in sent and "task" not in sent else "v1alpha2"
        if version == "v1alpha2":
            await self._complete(sent)
        response = await self._transport.call("POST", f"/{version}", body=sent)
        return cast("SubmittedV1Alpha2", response.json())

    async def upload_files(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Upload the files and bytes in a body, and return a copy with their links."""
        sent: dict[str, Any] = copied(body)
        for holder, key, value in list(find_local(sent)):
            holder[key] = await self.upload(value)
        return sent

    async def status(self, task_id: str) -> Task:
        """Return a task, with links to its images that are valid for an hour."""
        return cast("Task", (await self._transport.call("GET", task_path(task_id))).json())

    async def follow(self, task_id: str, *, timeout: float | None = None) -> AsyncIterator[Task]:
        """Yield a task now, whenever its state, progress or position changes, and last when it has ended.

        After `timeout` seconds, raise `WaitTimeout`; the task goes on.
        """
        async for task in follow(self._transport, task_id, timeout):
            yield task

    async def wait(
        self,
        task_id: str,
        *,
        timeout: float | None = None,
        on_update: Callable[[Task], None] | None = None,
    ) -> Task:
        """Return a task when it has ended, whatever its outcome; call `on_update` with each of its states.

        After `timeout` seconds, raise `WaitTimeout`; the task goes on.
        """
        async for task in self.follow(task_id, timeout=timeout):
            if on_update is not None:
                on_update(task)
            if task["status"] in FINAL:
                return task
        raise AssertionError("a task is followed until it has ended")

    async def wait_all(
        self,
        task_ids: Iterable[str],
        *,
        timeout: float | None = None,
        on_end: Callable[[Task], None] | None = None,
    ) -> dict[str, Task]:
        """Return tasks by their ids when all have ended; call `on_end` with each one when it has.

        Listing many tasks takes fewer requests than reading each of them. After `timeout` seconds, raise
        `WaitTimeout`; the tasks go on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        ids = list(dict.fromkeys(task_ids))
        ended: dict[str, Task] = {}
        pause = PAUSE_SECONDS / 16
        while len(ended) < len(ids):
            for task_id in await self._no_longer_listed_as_active([one for one in ids if one not in ended]):
                task = await self.status(task_id)
                if task["status"] in FINAL:
                    ended[task_id] = task
                    if on_end is not None:
                        on_end(task)
            if len(ended) < len(ids):
                if deadline is not None and time.monotonic() > deadline:
                    raise WaitTimeout(next(one for one in ids if one not in ended), timeout or 0)
                pause = min(PAUSE_SECONDS, 2 * pause)  # the tasks of a small batch end soon
                await asyncio.sleep(pause)
        return {task_id: ended[task_id] for task_id in ids}

    async def run(
        self,
        body: Mapping[str, Any],
        *,
        timeout: float | None = None,
        on_update: Callable[[Task], None] | None = None,
    ) -> Task:
        """Submit a task and return it when it is completed; raise `TaskFailed` after another outcome."""
        submitted = await self.submit(body)
        task = await self.wait(submitted["id"], timeout=timeout, on_update=on_update)
        if task["status"] != "completed":
            raise TaskFailed(task)
        return task

    async def list(
        self, *, runtime: str | None = None, status: Status | None = None, limit: int | None = None
    ) -> AsyncIterator[ListedTask]:
        """Yield tasks, newest first."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            query = {"runtime": runtime, "status": status, "limit": size, "cursor": cursor}
            page = (await self._transport.call("GET", "/v1alpha2/tasks", query=query)).json()
            for task in page["tasks"]:
                yield task
            left = None if left is None else left - len(page["tasks"])
            cursor = page["cursor"]
            if cursor is None:
                return

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task: a queued one at once, a running one as soon as its worker has stopped it.

        Raise `Conflict` if it has ended otherwise.
        """
        try:
            return cast("Task", (await self._transport.call("DELETE", task_path(task_id))).json())
        except Conflict:
            # It may have been cancelled by this request, whose response was lost, or by an earlier one.
            task = await self.status(task_id)
            if task["status"] != "cancelled":
                raise
            return task

    async def upload(self, source: Local) -> str:
        """Upload an image, or a video or sound for ComfyUI, and return the link to use in tasks."""
        name, content, kind = read_local(source)
        body = {} if kind is None else {"content_type": kind}
        offered = cast("Upload", (await self._transport.call("POST", "/v1alpha2/uploads", body=body)).json())
        response = await self._transport.post_form(offered["url"], offered["fields"], name, content)
        if not response.is_success:
            raise storage_error(response)
        return offered["s3"]

    async def download(
        self, task: Task | str, folder: Path | str, *, others: bool = False, document: bool = False
    ) -> Sequence[Path]:
        """Download the images of a task into a folder and return their paths.

        `others` adds grids, masks and maps, and `document` the document with seeds and warnings.
        """
        current = await self.status(task) if isinstance(task, str) else task
        return await download(self._transport, current, Path(folder), others=others, document=document)

    async def runtimes(self) -> Sequence[Runtime]:
        """Return the runtimes with the lengths of their queues."""
        found = (await self._transport.call("GET", "/v1alpha2/runtimes")).json()
        self._runtimes = cast("Sequence[Runtime]", found["runtimes"])
        return self._runtimes

    async def _no_longer_listed_as_active(self, task_ids: Sequence[str]) -> Sequence[str]:
        """Return the tasks of which the list says that they have ended, or which it does not contain."""
        unseen, active = set(task_ids), set()
        limit = MAX_LISTED + len(task_ids)
        async for task in self.list(limit=limit):
            if task["id"] in unseen:
                unseen.discard(task["id"])
                if task["status"] not in FINAL:
                    active.add(task["id"])
            if not unseen:
                break
        return [one for one in task_ids if one not in active]

    async def runtime(self, name: str, *, kind: str | None = None, q: str | None = None) -> RuntimeDetails:
        """Return a runtime with what its tasks may name: models, and what its engine lists.

        `kind` and `q`, a part of the name, choose among the models.
        """
        path = f"/v1alpha2/runtimes/{quote(name, safe='')}"
        models: builtins.list[Model] = []
        cursor: str | None = None
        while True:
            query = {"kind": kind, "q": q, "limit": MODELS_PAGE, "cursor": cursor}
            page = cast("RuntimeDetails", (await self._transport.call("GET", path, query=query)).json())
            if page["models"] is None:
                return page
            models += page["models"]
            cursor = page["cursor"]
            if cursor is None:
                return {**page, "models": models}

    async def _complete(self, body: dict[str, Any]) -> None:
        """Add an id and a runtime to the metadata of a body, if they are missing."""
        task = body.get("task")
        if not isinstance(task, dict) or not isinstance(metadata := task.get("metadata"), dict):
            return
        metadata.setdefault("id", new_id())
        if metadata.get("runtime") is None:
            metadata["runtime"] = await self._runtime_for(metadata.get("tasktype"), task.get("content"))

    async def _runtime_for(self, tasktype: Any, content: Any) -> str:
        """Return the only runtime that fits; of several with SD Web UI, the only one for the checkpoint."""
        wanted = "comfyui" if tasktype == "pipeline" else "sdwebui"
        found = [one for one in self._runtimes or await self.runtimes() if one["type"] == wanted]
        fitting = found
        if wanted == "sdwebui" and len(found) > 1:
            fitting = [one for one in found if one.get("dynamic_model") is names_checkpoint(content)]
        if len(fitting) != 1:
            names = ", ".join(one["name"] for one in found) or f"none of type {wanted}"
            raise InputError(f"name the runtime of the task; the deployment has {names}")
        return fitting[0]["name"]
