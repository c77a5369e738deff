"""Upscaling: plain resizing for any upscaler, as recorded without the weights."""

from typing import Any

from PIL import Image

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.encoding import decode_image, encode_image, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.job import Job
from local.fakes.sdwebui.requests import ExtrasBatchImagesRequest, ExtrasRequest, ExtrasSingleImageRequest


def enlarge(components: Components, request: ExtrasRequest) -> dict[str, Any]:
    """Upscale the images of a request and return the response; raise Failure or HTTPException."""
    sources = _sources(request)
    images = [decode_image(source, components.options) for source in sources]
    with components.queue:
        injected = components.faults.for_next_job()
        entry = components.stats.begin(route="extras")
        outcome = "failed"
        try:
            components.state.begin("extras")
            components.state.job_count = max(1, len(images))
            _check(request)
            _work(components, injected)
            done = [_enlarged(pixels(image, keep_alpha=True), request) for image in images]
            outcome = "done"
        finally:
            components.state.end()
            components.faults.done(injected)
            components.stats.end(entry, outcome)
    if "no-images" in injected:
        done = []
    encoded = [encode_image(image, components.options) for image in done]
    html = f"<p>{_description(request) if images else ''}</p>"
    if isinstance(request, ExtrasBatchImagesRequest):
        return {"html_info": html, "images": encoded, "injected": injected}
    return {"html_info": html, "image": next(iter(encoded), ""), "injected": injected}


def _sources(request: ExtrasRequest) -> list[str]:
    if isinstance(request, ExtrasBatchImagesRequest):
        return [file.data for file in request.imageList]
    return [request.image] if isinstance(request, ExtrasSingleImageRequest) else []


def _check(request: ExtrasRequest) -> None:
    known = {one["name"] for one in recorded("upscalers")}
    for name in (request.upscaler_1, request.upscaler_2):
        if name not in known:
            raise Failure("AssertionError", f"could not find upscaler named {name}")


def _work(components: Components, injected: dict[str, Any]) -> None:
    settings = components.settings
    job = Job(components.state, settings, components.options, injected, iterations=1, steps=1)
    job.set_step_seconds(settings.extra_seconds if settings.job_seconds is None else settings.job_seconds)
    job.sample(lambda _: None)


def _enlarged(image: Image.Image, request: ExtrasRequest) -> Image.Image:
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
