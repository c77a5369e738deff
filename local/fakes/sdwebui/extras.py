"""Enlarging images: plain resizing, whatever upscaler is named (as recorded without the weights)."""

from typing import Any

from PIL import Image

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.encoding import decode_image, encode_image, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.job import Job
from local.fakes.sdwebui.parts import Parts
from local.fakes.sdwebui.requests import ExtrasBatchImagesRequest, ExtrasRequest, ExtrasSingleImageRequest


def enlarge(parts: Parts, request: ExtrasRequest) -> dict[str, Any]:
    """Enlarge the images of a request and return Web UI's answer. Raises Failure or HTTPException."""
    sources = _sources(request)
    images = [decode_image(source, parts.options) for source in sources]
    with parts.line:
        struck = parts.faults.draw()
        entry = parts.ledger.begin("extras")
        outcome = "failed"
        try:
            parts.state.begin("extras")
            parts.state.job_count = max(1, len(images))
            _check(request)
            _work(parts, struck)
            done = [_enlarged(pixels(image, keep_alpha=True), request) for image in images]
            outcome = "done"
        finally:
            parts.state.end()
            parts.faults.done(struck)
            parts.ledger.end(entry, outcome)
    if "no-images" in struck:
        done = []
    encoded = [encode_image(image, parts.options) for image in done]
    html = f"<p>{_told(request) if images else ''}</p>"
    if isinstance(request, ExtrasBatchImagesRequest):
        return {"html_info": html, "images": encoded, "struck": struck}
    return {"html_info": html, "image": next(iter(encoded), ""), "struck": struck}


def _sources(request: ExtrasRequest) -> list[str]:
    if isinstance(request, ExtrasBatchImagesRequest):
        return [file.data for file in request.imageList]
    return [request.image] if isinstance(request, ExtrasSingleImageRequest) else []


def _check(request: ExtrasRequest) -> None:
    known = {one["name"] for one in recorded("upscalers")}
    for name in (request.upscaler_1, request.upscaler_2):
        if name not in known:
            raise Failure("AssertionError", f"could not find upscaler named {name}")


def _work(parts: Parts, struck: dict[str, Any]) -> None:
    settings = parts.settings
    job = Job(parts.state, settings, parts.options, struck, iterations=1, steps=1)
    job.pace(settings.extra_seconds if settings.job_seconds is None else settings.job_seconds)
    job.sample(lambda _: None)


def _enlarged(image: Image.Image, request: ExtrasRequest) -> Image.Image:
    if request.upscaler_1 == "None":
        return image
    way = Image.Resampling.NEAREST if request.upscaler_1 == "Nearest" else Image.Resampling.LANCZOS
    if request.resize_mode == 1:
        size = (request.upscaling_resize_w, request.upscaling_resize_h)
    else:
        size = (int(image.width * request.upscaling_resize), int(image.height * request.upscaling_resize))
    return image.resize(size, way)


def _told(request: ExtrasRequest) -> str:
    told = []
    if request.upscaler_1 != "None":
        size = f"{request.upscaling_resize_w}x{request.upscaling_resize_h}"
        if request.resize_mode == 1:
            told.append(f"Postprocess upscale to: {size}")
            if request.upscaling_crop:
                told.append(f"Postprocess crop to: {size}")
        else:
            told.append(f"Postprocess upscale by: {request.upscaling_resize}")
        told.append(f"Postprocess upscaler: {request.upscaler_1}")
    if request.gfpgan_visibility:
        told.append(f"GFPGAN visibility: {request.gfpgan_visibility}")
    return ", ".join(told)
