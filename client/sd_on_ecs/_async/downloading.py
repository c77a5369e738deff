"""Download what a task has stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sd_on_ecs._async.transport import AsyncTransport
from sd_on_ecs._async.waiting import task_path
from sd_on_ecs.api_types import Task
from sd_on_ecs.errors import InputError, NotFound, storage_error
from sd_on_ecs.inputs import output_links


async def download(
    transport: AsyncTransport, task: Task, folder: Path, *, others: bool, document: bool
) -> Sequence[Path]:
    """Download the images of a task, renew links that have expired, and return the paths of the files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be a folder: {error.strerror or error}") from None
    links = output_links(task, others=others, document=document)
    paths = []
    for name in list(links):
        response = await transport.save(links[name], folder / name)
        if response.status_code == 403:
            # Links are valid for an hour.
            current = cast("Task", (await transport.call("GET", task_path(task["id"]))).json())
            links |= (renewed := output_links(current, others=others, document=document))
            if name not in renewed:
                raise NotFound(
                    404, "no_such_output", f"{task['id']} no longer has {name}; its outputs were deleted"
                )
            response = await transport.save(links[name], folder / name)
        if not response.is_success:
            raise storage_error(response)
        paths.append(folder / name)
    return paths
