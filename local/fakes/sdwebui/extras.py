"""Upscale images: any upscaler only resizes, like a real SD Web UI without the upscaler's weights."""

from typing import Any

from PIL import Image

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.encoding import decode_image, encode_image, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.job import Job
from local.fakes.sdwebui.recorded_responses import recorded_response
from local.fakes.sdwebui.requests import ExtrasBatchImagesRequest, ExtrasRequest, ExtrasSingleImageRequest


def upscale(components: Components, request: ExtrasRequest) -> dict[str, Any]:
    """Upscale the images of a request and return the response; raise Failure or HTTPException."""
    encoded_inputs = _encoded_images(request)
    images = [decode_image(encoded, components.options) for encoded in encoded_inputs]
    with components.queue:
        injected = components.faults.for_next_job()
        entry = components.stats.begin(route="extras")
        outcome = "failed"
        try:
            components.state.begin("extras")
            components.state.job_count = max(1, len(images))
            _check_upscalers(request)
            _run_job(components, injected)
            results = [_upscale_image(pixels(image, keep_alpha=True), request) for image in images]
            outcome = "done"
        finally:
            components.state.end()
            components.faults.end_job(injected)
            components.stats.end(entry, outcome)
    if "no-images" in injected:
        results = []
    encoded = [encode_image(image, components.options) for image in results]
    html = f"<p>{_description(request) if images else ''}</p>"
    if isinstance(request, ExtrasBatchImagesRequest):
        return {"html_info": html, "images": encoded, "injected": injected}
    return {"html_info": html, "image": next(iter(encoded), ""), "injected": injected}


def _encoded_images(request: ExtrasRequest) -> list[str]:
    if isinstance(request, ExtrasBatchImagesRequest):
        return [file.data for file in request.imageList]
    return [request.image] if isinstance(request, ExtrasSingleImageRequest) else []


def _check_upscalers(request: ExtrasRequest) -> None:
    upscalers = {upscaler["name"] for upscaler in recorded_response("upscalers")}
    for name in (request.upscaler_1, request.upscaler_2):
        if name not in upscalers:
            raise Failure("AssertionError", f"could not find upscaler named {name}")


def _run_job(components: Components, injected: dict[str, Any]) -> None:
    settings = components.settings
    job = Job(components.state, settings, components.options, injected, iterations=1, steps=1)
    job.set_step_seconds(settings.extra_seconds if settings.job_seconds is None else settings.job_seconds)
    job.sample(lambda _: None)


def _upscale_image(image: Image.Image, request: ExtrasRequest) -> Image.Image:
    if request.upscaler_1 == "None":
        return image
    filter_ = Image.Resampling.NEAREST if request.upscaler_1 == "Nearest" else Image.Resampling.LANCZOS
    if request.resize_mode == 1:
        size = (request.upscaling_resize_w, request.upscaling_resize_h)
    else:
        size = (int(image.width * request.upscaling_resize), int(image.height * request.upscaling_resize))
    return image.resize(size, filter_)


def _description(request: ExtrasRequest) -> str:
    texts = []
    if request.upscaler_1 != "None":
        size = f"{request.upscaling_resize_w}x{request.upscaling_resize_h}"
        if request.resize_mode == 1:
            texts.append(f"Postprocess upscale to: {size}")
            if request.upscaling_crop:
                texts.append(f"Postprocess crop to: {size}")
        else:
            texts.append(f"Postprocess upscale by: {request.upscaling_resize}")
        texts.append(f"Postprocess upscaler: {request.upscaler_1}")
    if request.gfpgan_visibility:
        texts.append(f"GFPGAN visibility: {request.gfpgan_visibility}")
    return ", ".join(texts)
