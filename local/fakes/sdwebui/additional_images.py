"""The images that are returned in addition to the pictures: grids, masks and composites."""

from typing import Any

from PIL import Image

from local.fakes import drawing
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.encoding import pixels
from local.fakes.sdwebui.requests import Generation
from local.fakes.sdwebui.scripts import ScriptPlan

HEADING_PIXELS = 8  # height of the headings above a prompt matrix


def draw_grid(
    components: Components, request: Generation, plan: ScriptPlan, images: list[Any], text: str
) -> Image.Image | None:
    """Return the grid that Web UI adds if images are saved or a script makes one, or None."""
    options = components.options
    stills = [image for image in images if not isinstance(image, list)]  # not the frames of an animation
    if len(stills) < 2:  # the option grid_only_if_multiple, which is on
        return None
    if plan.prompts:
        return drawing.grid(stills, 1, margin=HEADING_PIXELS)
    if plan.loops:
        sheet = drawing.grid(stills, 1)
        return sheet.convert("RGBA") if components.settings.is_forge else sheet
    if not (request.save_images and options["return_grid"]):
        return None
    rows = drawing.grid_rows(len(stills), int(options["n_rows"]), int(request.batch_size or 1))
    sheet = drawing.grid(stills, rows).convert("RGBA")
    if options["enable_pnginfo"]:
        sheet.info["parameters"] = text
    return sheet


def draw_masks(components: Components, mask: Image.Image, last: Image.Image) -> list[Image.Image]:
    """Return the mask and the masked picture, as far as the options ask for them."""
    images = []
    resized_mask = pixels(mask).resize(last.size)
    if components.options["return_mask"]:
        images.append(resized_mask)
    if components.options["return_mask_composite"]:
        composite = last.convert("RGBA")
        composite.info = {}  # without the text and the encoded PNG of the picture
        composite.putalpha(resized_mask.convert("L"))
        images.append(composite)
    return images
