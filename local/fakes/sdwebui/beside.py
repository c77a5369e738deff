"""The images that come beside the pictures: grids, masks, and composites."""

from typing import Any

from PIL import Image

from local.fakes.sdwebui import pictures
from local.fakes.sdwebui.encoding import pixels
from local.fakes.sdwebui.parts import Parts
from local.fakes.sdwebui.requests import Generation
from local.fakes.sdwebui.scripts import Plan

HEADING = 8  # pixels above a prompt matrix


def grid_of(
    parts: Parts, request: Generation, plan: Plan, images: list[Any], text: str
) -> Image.Image | None:
    """Make the grid that nobody asked for, when images are saved or a script makes one."""
    options, stills = parts.options, [image for image in images if not isinstance(image, list)]
    if len(stills) < 2:  # noqa: PLR2004 -- grid_only_if_multiple
        return None
    if plan.prompts:
        return pictures.grid(stills, 1, margin=HEADING)
    if plan.loops:
        sheet = pictures.grid(stills, 1)
        return sheet.convert("RGBA") if parts.settings.forge else sheet
    if not (request.save_images and options["return_grid"]):
        return None
    rows = pictures.grid_rows(len(stills), int(options["n_rows"]), int(request.batch_size or 1))
    sheet = pictures.grid(stills, rows).convert("RGBA")
    if options["enable_pnginfo"]:
        sheet.info["parameters"] = text
    return sheet


def masks_of(parts: Parts, mask: Image.Image, last: Image.Image) -> list[Image.Image]:
    """Make the mask and the masked picture, as far as the options ask for them."""
    found = []
    shown = pixels(mask).resize(last.size)
    if parts.options["return_mask"]:
        found.append(shown)
    if parts.options["return_mask_composite"]:
        composite = last.convert("RGBA")
        composite.info = {}  # neither text nor what was encoded ahead
        composite.putalpha(shown.convert("L"))
        found.append(composite)
    return found
