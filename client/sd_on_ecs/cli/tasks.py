"""The commands that look at tasks and act on them."""

from typing import Annotated

import typer

from sd_on_ecs.api_types import Status, Task
from sd_on_ecs.cli import options
from sd_on_ecs.cli.progress import describe, wait_for
from sd_on_ecs.cli.running import write_result
from sd_on_ecs.cli.state import ExitCode, exit_code, program, write_json
from sd_on_ecs.errors import ClientError, InputError, KeyRefused, Unreachable


def status(context: typer.Context, task_id: options.TaskArgument, *, as_json: options.Json = False) -> None:
    """Show a task."""
    own = program(context)
    with own.client() as client:
        task = client.status(task_id)
    if as_json:
        write_json(task)
        return
    rows = {
        "id": task["id"],
        "status": describe(task),
        "progress": f"{task['progress']:.0%}",
        "runtime": task["runtime"],
        "task type": task["tasktype"],
        "submitted": task["submitted_at"],
        "started": task["started_at"],
        "finished": task["finished_at"],
        "attempts": task["attempts"],
        "error": f"{task['error']['message']} ({task['error']['code']})" if task["error"] else None,
        "output": task["output_location"],
        "images": len(task["images"]) or None,
    }
    own.fields(rows)


def list_(
    context: typer.Context,
    *,
    status: Annotated[Status | None, typer.Option(help="Only tasks in this state.")] = None,
    runtime: options.Runtime = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List tasks, newest first."""
    own = program(context)
    with own.client() as client:
        tasks = list(client.list(status=status, runtime=runtime, limit=limit))
    if as_json:
        write_json(tasks)
        return
    fields = ("id", "status", "runtime", "tasktype", "submitted_at")
    own.table(fields, [[task[field] for field in fields] for task in tasks])  # type: ignore[literal-required]


def cancel(
    context: typer.Context,
    task_ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="One or more ids.", show_default=False)
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Cancel tasks: queued ones at once, running ones as soon as their worker has stopped them.

    One that cannot be cancelled, because it has ended, does not keep the others from it.
    """
    own = program(context)
    cancelled: list[Task] = []
    codes: list[ExitCode] = []
    with own.client() as client:
        for index, task_id in enumerate(task_ids):
            try:
                task = client.cancel(task_id)
            except ClientError as error:
                own.note(f"sd-on-ecs: {task_id}: {error}")
                codes.append(exit_code(error))
                if isinstance(error, Unreachable | KeyRefused) and task_ids[index + 1 :]:
                    own.note(f"sd-on-ecs: not tried: {' '.join(task_ids[index + 1 :])}")
                    break
                continue
            cancelled.append(task)
            if not as_json:
                state = "cancelled" if task["status"] == "cancelled" else "stopping"
                own.line(f"{task_id} {state}")
    if as_json:
        write_json(cancelled)
    if codes:
        raise typer.Exit(max(codes))


def download(
    context: typer.Context,
    task_id: options.TaskArgument,
    *,
    out: options.Out = options.HERE,
    others: Annotated[bool, typer.Option("--others", help="Grids, masks and maps too.")] = False,
    document: Annotated[
        bool, typer.Option("--document", help="The document with seeds and warnings too.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    """Download the images of a task that has ended."""
    own = program(context)
    with own.client() as client:
        task = wait_for(own, client, task_id, timeout) if wait else client.status(task_id)
        if task["finished_at"] is None:
            raise InputError(f"{task_id} has not ended, it is {describe(task)}; --wait waits for it")
        files = list(client.download(task, out, others=others, document=document))
    write_result(own, task, files, as_json=as_json)
