"""The commands that make images with SD Web UI."""

from typing import Annotated, Any, Final

import typer

from sd_on_ecs import bodies
from sd_on_ecs.cli.making import makes_images
from sd_on_ecs.cli.values import image_argument, set_field

IMAGE: Final = "Image"

Prompt = Annotated[str, typer.Argument(help="What the image shows.")]
Picture = Annotated[str, typer.Argument(metavar="IMAGE", help="A file or a link.", show_default=False)]
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
Mask = Annotated[
    str | None,
    typer.Option(metavar="IMAGE", help="Where it is white, the image changes.", rich_help_panel=IMAGE),
]
Strength = Annotated[
    float | None, typer.Option(min=0, max=1, help="How much the image changes.", rich_help_panel=IMAGE)
]
Scale = Annotated[float, typer.Option(help="How many times larger.", rich_help_panel=IMAGE)]
Upscaler = Annotated[str, typer.Option(help="The upscaler's name.", rich_help_panel=IMAGE)]


@makes_images(set_field)
def txt2img(
    prompt: Prompt,
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
) -> bodies.Body:
    """Make images from a text."""
    content = _given(
        negative_prompt=negative,
        steps=steps,
        width=width,
        height=height,
        cfg_scale=cfg_scale,
        sampler_name=sampler,
        seed=seed,
        batch_size=count,
        alwayson_scripts=_checkpoint(model),
    )
    return bodies.text_to_image(prompt, **content)


@makes_images(set_field)
def img2img(
    prompt: Prompt,
    image: Picture,
    *,
    mask: Mask = None,
    strength: Strength = None,
    negative: Negative = None,
    steps: Steps = None,
    width: Width = None,
    height: Height = None,
    cfg_scale: CfgScale = None,
    sampler: Sampler = None,
    seed: Seed = None,
    count: Count = None,
    model: Model = None,
) -> bodies.Body:
    """Make images that resemble an image, or change it where a mask is white."""
    content = _given(
        denoising_strength=strength,
        negative_prompt=negative,
        steps=steps,
        width=width,
        height=height,
        cfg_scale=cfg_scale,
        sampler_name=sampler,
        seed=seed,
        batch_size=count,
        alwayson_scripts=_checkpoint(model),
    )
    white = image_argument(mask) if mask is not None else None
    return bodies.image_to_image(prompt, image_argument(image), mask=white, **content)


@makes_images(set_field)
def upscale(
    image: Picture,
    *,
    scale: Scale = 2,
    upscaler: Upscaler = bodies.DEFAULT_UPSCALER,
) -> bodies.Body:
    """Enlarge an image."""
    return bodies.upscale(image_argument(image), scale=scale, upscaler_1=upscaler)


def _given(**fields: Any) -> Any:
    return {name: value for name, value in fields.items() if value is not None}


def _checkpoint(model: str | None) -> dict[str, str] | None:
    return None if model is None else {"sd_model_checkpoint": model}
