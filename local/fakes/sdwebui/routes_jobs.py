"""The routes that generate images, and those that observe or stop the running job."""

import os
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import JSONResponse

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.connection import job_response
from local.fakes.sdwebui.encoding import decode_image, encode_preview, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.extras import upscale
from local.fakes.sdwebui.generation import generate
from local.fakes.sdwebui.infotext import parse_infotext
from local.fakes.sdwebui.recorded_responses import recorded_response
from local.fakes.sdwebui.requests import (
    ExtrasBatchImagesRequest,
    ExtrasSingleImageRequest,
    InterrogateRequest,
    PNGInfoRequest,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)


def router(components: Components) -> APIRouter:
    """Return the routes below /sdapi/v1."""
    routes = APIRouter(prefix="/sdapi/v1")
    state = components.state

    @routes.post("/txt2img")
    def txt2img(request: StableDiffusionProcessingTxt2Img) -> JSONResponse:
        return job_response(generate(components, request))

    @routes.post("/img2img")
    def img2img(request: StableDiffusionProcessingImg2Img) -> JSONResponse:
        return job_response(generate(components, request))

    @routes.post("/extra-single-image")
    def extra_single_image(request: ExtrasSingleImageRequest) -> JSONResponse:
        return job_response(upscale(components, request))

    @routes.post("/extra-batch-images")
    def extra_batch_images(request: ExtrasBatchImagesRequest) -> JSONResponse:
        return job_response(upscale(components, request))

    @routes.post("/png-info")
    def png_info(request: PNGInfoRequest) -> dict[str, Any]:
        image = decode_image(request.image, components.options)
        text = str(image.info.get("parameters", ""))
        return {"info": text, "items": {}, "parameters": parse_infotext(text, recorded_response("png-info"))}

    @routes.post("/interrogate")
    def interrogate(request: InterrogateRequest) -> dict[str, Any]:
        image = decode_image(request.image, components.options)
        if request.model not in ("clip", "deepdanbooru"):
            raise HTTPException(404, "Model not found")
        with components.queue:
            pixels(image)
        if request.model == "deepdanbooru":
            raise Failure("IndexError", "list index out of range")
        return {"caption": "<error>"}  # recorded without CLIP's weights

    @routes.get("/progress")
    def progress(*, skip_current_image: bool = False) -> dict[str, Any]:
        fraction, seconds_left = state.progress()
        image = None if skip_current_image or state.job_count == 0 else state.current_image
        return {
            "progress": fraction,
            "eta_relative": seconds_left,
            "state": state.to_json(),
            "current_image": encode_preview(image) if image else None,
            "textinfo": None,
        }

    @routes.post("/interrupt")
    def interrupt() -> dict[str, Any]:
        state.interrupted = True
        return {}

    @routes.post("/skip")
    def skip() -> None:
        state.skipped = True

    if components.settings.server_stop:

        @routes.post("/server-kill")
        def server_kill() -> None:
            os._exit(0)

        @routes.post("/server-restart")
        def server_restart() -> Response:
            return Response(status_code=501)

        @routes.post("/server-stop")
        def server_stop() -> Response:
            return Response("Stopping.")  # has no effect, as on the recorded server, which served no page

    return routes
