"""The routes for options and lists: checkpoints, samplers, scripts, memory."""

import resource
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.options import CHECKPOINT

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


def router(components: Components) -> APIRouter:
    """Return the routes; AUTOMATIC1111 has `/sd-vae` where Forge has `/sd-modules`."""
    routes = APIRouter(prefix="/sdapi/v1")
    for name in FIXED:
        routes.add_api_route(f"/{name}", lambda name=name: recorded(name), methods=["GET"], name=name)

    def between_jobs(refresh: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            with components.queue:
                refresh()

        return run

    # These wait until no job runs.
    refreshing = {
        "refresh-vae": components.modules.refresh,
        "refresh-loras": components.networks.refresh,
        "refresh-embeddings": components.embeddings.refresh,
    }
    for name, refresh in refreshing.items():
        routes.add_api_route(f"/{name}", between_jobs(refresh), methods=["POST"], name=name)
    modules = "sd-modules" if components.settings.forge else "sd-vae"
    routes.add_api_route(f"/{modules}", components.modules.listed, methods=["GET"], name=modules)

    @routes.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        return components.scripts.titles

    @routes.get("/options")
    def get_options() -> dict[str, Any]:
        return components.options.read()

    @routes.post("/options")
    def post_options(request: dict[str, Any]) -> None:
        before = components.options[CHECKPOINT]
        components.options.post(request)
        if not components.settings.forge and CHECKPOINT in request:
            with components.queue:  # AUTOMATIC1111 loads it before it responds
                if components.memory.need() is not components.checkpoints.selected:
                    components.options.post({CHECKPOINT: before})

    @routes.get("/cmd-flags")
    def cmd_flags() -> None:
        fault = {
            "type": "string_type",
            "loc": ("response", "port"),
            "msg": "Input should be a valid string",
            "input": 7861,
            "url": "https://errors.pydantic.dev/2.8/v/string_type",
        }
        page = components.settings.web_ui
        flags = {**recorded("cmd-flags"), "nowebui": not page, "no_gradio_queue": page}
        raise Failure("ResponseValidationError", f"1 validation errors:\n  {fault}\n", body=flags)

    @routes.get("/sd-models")
    def sd_models() -> list[dict[str, Any]]:
        return [one.listed() for one in components.checkpoints.all()]

    @routes.post("/refresh-checkpoints")
    def refresh_checkpoints() -> None:
        with components.queue:
            components.checkpoints.refresh()

    @routes.get("/embeddings")
    def embeddings() -> dict[str, Any]:
        return components.embeddings.listed()

    @routes.get("/loras")
    def loras() -> list[dict[str, Any]]:
        return components.networks.listed()

    @routes.post("/unload-checkpoint")
    def unload_checkpoint() -> dict[str, Any]:
        components.networks.unload()
        return {}  # only removes the weights from the GPU; the next job loads them again at once

    @routes.post("/reload-checkpoint")
    def reload_checkpoint() -> dict[str, Any]:
        return {}

    @routes.get("/memory")
    def memory() -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        cuda: dict[str, Any] = {"error": "unavailable"}
        if components.settings.gpu_gib is not None:
            cuda = _cuda(components, int(components.settings.gpu_gib * GIB))
        return {"ram": {"free": HOST_BYTES - used, "used": used, "total": HOST_BYTES}, "cuda": cuda}

    outer = APIRouter()
    outer.include_router(routes)

    @outer.get("/controlnet/model_list")
    def controlnet_models(*, update: bool = True) -> dict[str, list[str]]:
        return {"model_list": components.controlnet.listed(update=update)}

    @outer.get("/controlnet/module_list")
    def controlnet_modules() -> dict[str, Any]:
        return {"module_list": components.controlnet.modules}

    if not components.settings.forge:

        @outer.get("/controlnet/version")
        def controlnet_version() -> dict[str, int]:
            return {"version": 2}

    return outer


def _cuda(components: Components, total: int) -> dict[str, Any]:
    """Return invented GPU memory figures in the form of AUTOMATIC1111's response."""
    used = int(total * (0.4 if components.memory.current else 0.1))
    counter = {"current": used, "peak": used}
    return {
        "system": {"free": total - used, "used": used, "total": total},
        "active": counter,
        "allocated": counter,
        "reserved": counter,
        "inactive": {"current": 0, "peak": 0},
        "events": {"retries": 0, "oom": 0},
    }
