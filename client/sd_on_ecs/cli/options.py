"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

TASK: Final = "Task"
OUTPUT: Final = "Output"
HERE: Final = Path()

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document, for scripts.")]
Runtime = Annotated[
    str | None,
    typer.Option(
        envvar="SD_ON_ECS_RUNTIME",
        help="The runtime. Default: the only one for such tasks.",
        rich_help_panel=TASK,
    ),
]
TaskId = Annotated[
    str | None, typer.Option("--id", help="The task's id. Default: a new one.", rich_help_panel=TASK)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Any other field of the content.", rich_help_panel=TASK
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="The folder for images.", rich_help_panel=OUTPUT)]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for the images and download them.", rich_help_panel=OUTPUT),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=0, help="Seconds to wait at most; the task goes on after that.", rich_help_panel=OUTPUT),
]


def metadata(runtime: str | None, task_id: str | None) -> Any:
    """Return the metadata that was given."""
    return {name: value for name, value in (("runtime", runtime), ("id", task_id)) if value is not None}
