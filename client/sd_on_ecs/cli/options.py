"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from sd_on_ecs.cli.completing import runtime_names

TASK: Final = "Task"
SWEEP: Final = "Sweep"
OUTPUT: Final = "Output"
HERE: Final = Path()

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document, for scripts.")]
Runtime = Annotated[
    str | None,
    typer.Option(
        envvar="SD_ON_ECS_RUNTIME",
        autocompletion=runtime_names,
        help="The runtime. Default: the only one for such tasks.",
        rich_help_panel=TASK,
    ),
]
TaskId = Annotated[
    str | None,
    typer.Option("--id", help="The id of the task, or the name of a sweep.", rich_help_panel=TASK),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any other field of the content; dots lead into objects.",
        rich_help_panel=TASK,
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata",
        metavar="NAME=VALUE",
        help="Metadata of the task, such as webhook=https://…, start_within_seconds=120 or prefix=cats.",
        rich_help_panel=TASK,
    ),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="FIELD=VALUES",
        help="Submit a task for each value, such as seed=1..20 or cfg_scale=5,7,9; several make a grid.",
        rich_help_panel=SWEEP,
    ),
]
Sheet = Annotated[
    bool,
    typer.Option("--sheet/--no-sheet", help="Draw a contact sheet of a sweep.", rich_help_panel=SWEEP),
]
Format = Annotated[
    Literal["png", "jpeg", "webp"] | None,
    typer.Option("--format", help="The format of the images.", rich_help_panel=OUTPUT),
]
Quality = Annotated[
    int | None,
    typer.Option(min=1, max=100, help="The quality of JPEG and WebP.", rich_help_panel=OUTPUT),
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
TaskArgument = Annotated[str, typer.Argument(metavar="ID", help="The task's id.", show_default=False)]


def output(image_format: str | None, quality: int | None) -> dict[str, Any]:
    """Return the metadata `output` that was asked for."""
    given = {"format": image_format, "quality": quality}
    return {name: value for name, value in given.items() if value is not None}
