"""The routes that tell what there is: options, checkpoints, samplers, memory."""

import resource
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.options import CHECKPOINT
from local.fakes.sdwebui.parts import Parts

HOST_BYTES = 25276510208.0
GIB = 1 << 30
FIXED = [
    "samplers",
    "schedulers",
    "upscalers",
    "latent-upscale-modes",
    "hypernetworks",
    "face-restorers",
    "realesrgan-models",
    "prompt-styles",
    "script-info",
    "extensions",
]


def router(parts: Parts) -> APIRouter:  # noqa: C901 -- a list of routes
    """Make the routes; AUTOMATIC1111 has `/sd-vae` where Forge has `/sd-modules`."""
    routes = APIRouter(prefix="/sdapi/v1")
    for name in FIXED:
        routes.add_api_route(f"/{name}", lambda name=name: recorded(name), methods=["GET"], name=name)

    def in_line(refresh: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            with parts.line:
                refresh()

        return run

    # These wait for the running job.
    refreshing = {
        "refresh-vae": parts.modules.refresh,
        "refresh-loras": parts.networks.refresh,
        "refresh-embeddings": parts.embeddings.refresh,
    }
    for name, refresh in refreshing.items():
        routes.add_api_route(f"/{name}", in_line(refresh), methods=["POST"], name=name)
    modules = "sd-modules" if parts.settings.forge else "sd-vae"
    routes.add_api_route(f"/{modules}", parts.modules.listed, methods=["GET"], name=modules)

    @routes.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        return parts.scripts.titles

    @routes.get("/options")
    def get_options() -> dict[str, Any]:
        return parts.options.read()

    @routes.post("/options")
    def post_options(request: dict[str, Any]) -> None:
        before = parts.options[CHECKPOINT]
        parts.options.post(request)
        if not parts.settings.forge and CHECKPOINT in request:
            with parts.line:  # AUTOMATIC1111 loads at once, and answers when it has
                if parts.memory.need() is not parts.checkpoints.selected:
                    parts.options.post({CHECKPOINT: before})

    @routes.get("/cmd-flags")
    def cmd_flags() -> None:
        fault = {
            "type": "string_type",
            "loc": ("response", "port"),
            "msg": "Input should be a valid string",
            "input": 7861,
            "url": "https://errors.pydantic.dev/2.8/v/string_type",
        }
        page = parts.settings.web_ui
        flags = {**recorded("cmd-flags"), "nowebui": not page, "no_gradio_queue": page}
        raise Failure("ResponseValidationError", f"1 validation errors:\n  {fault}\n", body=flags)

    @routes.get("/sd-models")
    def sd_models() -> list[dict[str, Any]]:
        return [one.listed() for one in parts.checkpoints.all()]

    @routes.post("/refresh-checkpoints")
    def refresh_checkpoints() -> None:
        with parts.line:
            parts.checkpoints.refresh()

    @routes.get("/embeddings")
    def embeddings() -> dict[str, Any]:
        return parts.embeddings.listed()

    @routes.get("/loras")
    def loras() -> list[dict[str, Any]]:
        return parts.networks.listed()

    @routes.post("/unload-checkpoint")
    def unload_checkpoint() -> dict[str, Any]:
        parts.networks.unload()
        return {}  # weights leave the GPU only; the next job brings them back at once

    @routes.post("/reload-checkpoint")
    def reload_checkpoint() -> dict[str, Any]:
        return {}

    @routes.get("/memory")
    def memory() -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        cuda: dict[str, Any] = {"error": "unavailable"}
        if parts.settings.gpu_gib is not None:
            cuda = _cuda(parts, int(parts.settings.gpu_gib * GIB))
        return {"ram": {"free": HOST_BYTES - used, "used": used, "total": HOST_BYTES}, "cuda": cuda}

    outer = APIRouter()
    outer.include_router(routes)

    @outer.get("/controlnet/model_list")
    def controlnet_models(*, update: bool = True) -> dict[str, list[str]]:
        return {"model_list": parts.controlnet.listed(update=update)}

    @outer.get("/controlnet/module_list")
    def controlnet_modules() -> dict[str, Any]:
        return {"module_list": parts.controlnet.modules}

    if not parts.settings.forge:

        @outer.get("/controlnet/version")
        def controlnet_version() -> dict[str, int]:
            return {"version": 2}

    return outer


def _cuda(parts: Parts, total: int) -> dict[str, Any]:
    """Make up a GPU's memory in the shape of torch's counters, as AUTOMATIC1111 gives them."""
    used = int(total * (0.4 if parts.memory.current else 0.1))
    counter = {"current": used, "peak": used}
    return {
        "system": {"free": total - used, "used": used, "total": total},
        "active": counter,
        "allocated": counter,
        "reserved": counter,
        "inactive": {"current": 0, "peak": 0},
        "events": {"retries": 0, "oom": 0},
    }
