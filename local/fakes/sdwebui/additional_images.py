"""The images that are returned in addition to the pictures: grids, masks and composites."""

from typing import Any

from PIL import Image

from local.fakes import drawing
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.encoding import pixels
from local.fakes.sdwebui.requests import Generation
from local.fakes.sdwebui.scripts import Plan

HEADING = 8  # pixels above a prompt matrix


def grid_of(
    components: Components, request: Generation, plan: Plan, images: list[Any], text: str
) -> Image.Image | None:
    """Return the grid that Web UI adds if images are saved or a script makes one, or None."""
    options, stills = components.options, [image for image in images if not isinstance(image, list)]
    if len(stills) < 2:  # grid_only_if_multiple
        return None
    if plan.prompts:
        return drawing.grid(stills, 1, margin=HEADING)
    if plan.loops:
        sheet = drawing.grid(stills, 1)
        return sheet.convert("RGBA") if components.settings.forge else sheet
    if not (request.save_images and options["return_grid"]):
        return None
    rows = drawing.grid_rows(len(stills), int(options["n_rows"]), int(request.batch_size or 1))
    sheet = drawing.grid(stills, rows).convert("RGBA")
    if options["enable_pnginfo"]:
        sheet.info["parameters"] = text
    return sheet


def masks_of(components: Components, mask: Image.Image, last: Image.Image) -> list[Image.Image]:
    """Return the mask and the masked picture, as far as the options ask for them."""
    found = []
    shown = pixels(mask).resize(last.size)
    if components.options["return_mask"]:
        found.append(shown)
    if components.options["return_mask_composite"]:
        composite = last.convert("RGBA")
        composite.info = {}  # without the text and the encoded PNG of the picture
        composite.putalpha(shown.convert("L"))
        found.append(composite)
    return found
