"""The commands that look at tasks and act on them."""

from typing import Annotated

import typer
from rich.table import Table

from sd_on_ecs.cli import options
from sd_on_ecs.cli.progress import describe
from sd_on_ecs.cli.running import write_result
from sd_on_ecs.cli.state import program, write_json
from sd_on_ecs.errors import InputError

TaskArgument = Annotated[str, typer.Argument(metavar="ID", help="The task's id.", show_default=False)]


def status(context: typer.Context, task_id: TaskArgument, *, as_json: options.Json = False) -> None:
    """Show a task."""
    own = program(context)
    with own.client() as client:
        task = client.status(task_id)
    if as_json:
        write_json(task)
        return
    table = Table.grid(padding=(0, 2))
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
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, str(value))
    own.out.print(table, highlight=False)


def download(
    context: typer.Context,
    task_id: TaskArgument,
    *,
    out: options.Out = options.HERE,
    others: Annotated[bool, typer.Option("--others", help="Grids, masks and maps too.")] = False,
    document: Annotated[
        bool, typer.Option("--document", help="The document with seeds and warnings too.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Download the images of a task that has ended."""
    own = program(context)
    with own.client() as client:
        task = client.status(task_id)
        if task["finished_at"] is None:
            raise InputError(f"{task_id} has not ended: it is {describe(task)}")
        files = list(client.download(task, out, others=others, document=document))
    write_result(own, task, files, as_json=as_json)
