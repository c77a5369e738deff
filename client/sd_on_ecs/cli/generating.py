"""The commands that make images."""

from typing import Annotated, Any

import typer

from sd_on_ecs import bodies
from sd_on_ecs.cli import options
from sd_on_ecs.cli.running import Run
from sd_on_ecs.cli.state import program
from sd_on_ecs.cli.values import assignments, set_field

IMAGE = "Image"

Negative = Annotated[
    str | None, typer.Option("--negative", help="What should not be in the image.", rich_help_panel=IMAGE)
]
Steps = Annotated[int | None, typer.Option(help="Sampling steps.", rich_help_panel=IMAGE)]
Width = Annotated[int | None, typer.Option(help="In pixels.", rich_help_panel=IMAGE)]
Height = Annotated[int | None, typer.Option(help="In pixels.", rich_help_panel=IMAGE)]
CfgScale = Annotated[
    float | None, typer.Option(help="How closely the image follows the prompt.", rich_help_panel=IMAGE)
]
Sampler = Annotated[str | None, typer.Option(help="The sampler's name.", rich_help_panel=IMAGE)]
Seed = Annotated[int | None, typer.Option(help="The same seed, the same image.", rich_help_panel=IMAGE)]
Count = Annotated[
    int | None, typer.Option("--count", "-n", help="Images of one task.", rich_help_panel=IMAGE)
]
Model = Annotated[
    str | None, typer.Option(help="The checkpoint, on a dynamic runtime.", rich_help_panel=IMAGE)
]


def txt2img(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What the image shows.")],
    *,
    negative: Negative = None,
    steps: Steps = None,
    width: Width = None,
    height: Height = None,
    cfg_scale: CfgScale = None,
    sampler: Sampler = None,
    seed: Seed = None,
    count: Count = None,
    model: Model = None,
    fields: options.Set = None,
    runtime: options.Runtime = None,
    task_id: options.TaskId = None,
    out: options.Out = options.HERE,
    wait: options.Wait = True,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    """Make images from a text."""
    content = sampling(
        negative, steps=steps, width=width, height=height, cfg_scale=cfg_scale, sampler_name=sampler,
        seed=seed, batch_size=count,
    )  # fmt: skip
    body = bodies.text_to_image(prompt, **options.metadata(runtime, task_id), **content)
    for name, text in assignments(fields):
        set_field(body, name, text)
    if model is not None:
        set_field(body, "alwayson_scripts.sd_model_checkpoint", model)
    Run(program=program(context), out=out, wait=wait, timeout=timeout, as_json=as_json)(body)


def sampling(negative: str | None, **fields: Any) -> Any:
    """Return the fields that were given."""
    return {
        name: value for name, value in {"negative_prompt": negative, **fields}.items() if value is not None
    }
