"""The routes that make images, and those that look at or stop what runs."""

import os
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import JSONResponse

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.connection import answer
from local.fakes.sdwebui.encoding import decode_image, encode_preview, pixels
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.extras import enlarge
from local.fakes.sdwebui.generation import generate
from local.fakes.sdwebui.infotext import parse
from local.fakes.sdwebui.parts import Parts
from local.fakes.sdwebui.requests import (
    ExtrasBatchImagesRequest,
    ExtrasSingleImageRequest,
    InterrogateRequest,
    PNGInfoRequest,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)


def router(parts: Parts) -> APIRouter:  # noqa: C901 -- a list of routes
    """Make the routes."""
    routes = APIRouter(prefix="/sdapi/v1")
    state = parts.state

    @routes.post("/txt2img")
    def txt2img(request: StableDiffusionProcessingTxt2Img) -> JSONResponse:
        return answer(generate(parts, request))

    @routes.post("/img2img")
    def img2img(request: StableDiffusionProcessingImg2Img) -> JSONResponse:
        return answer(generate(parts, request))

    @routes.post("/extra-single-image")
    def extra_single_image(request: ExtrasSingleImageRequest) -> JSONResponse:
        return answer(enlarge(parts, request))

    @routes.post("/extra-batch-images")
    def extra_batch_images(request: ExtrasBatchImagesRequest) -> JSONResponse:
        return answer(enlarge(parts, request))

    @routes.post("/png-info")
    def png_info(request: PNGInfoRequest) -> dict[str, Any]:
        image = decode_image(request.image, parts.options)
        text = str(image.info.get("parameters", ""))
        return {"info": text, "items": {}, "parameters": parse(text, recorded("png-info"))}

    @routes.post("/interrogate")
    def interrogate(request: InterrogateRequest) -> dict[str, Any]:
        image = decode_image(request.image, parts.options)
        if request.model not in ("clip", "deepdanbooru"):
            raise HTTPException(404, "Model not found")
        with parts.line:
            pixels(image)
        if request.model == "deepdanbooru":
            raise Failure("IndexError", "list index out of range")
        return {"caption": "<error>"}  # what is recorded where CLIP's weights are missing

    @routes.get("/progress")
    def progress(*, skip_current_image: bool = False) -> dict[str, Any]:
        done, left = state.progress()
        image = None if skip_current_image or state.job_count == 0 else state.current_image
        return {
            "progress": done,
            "eta_relative": left,
            "state": state.facts(),
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

    if parts.settings.server_stop:

        @routes.post("/server-kill")
        def server_kill() -> None:
            os._exit(0)

        @routes.post("/server-restart")
        def server_restart() -> Response:
            return Response(status_code=501)

        @routes.post("/server-stop")
        def server_stop() -> Response:
            return Response("Stopping.")  # and nothing happens, as recorded without the web page

    return routes
