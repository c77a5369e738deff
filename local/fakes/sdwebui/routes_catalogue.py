"""The routes for options and lists: checkpoints, samplers, scripts, memory."""

import resource
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.options import CHECKPOINT
from local.fakes.sdwebui.recorded_responses import recorded_response

HOST_BYTES = 25276510208.0
GIB = 1 << 30
UNCHANGING_LISTS = [
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
    for name in UNCHANGING_LISTS:
        routes.add_api_route(
            f"/{name}", lambda name=name: recorded_response(name), methods=["GET"], name=name
        )

    def run_between_jobs(refresh: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            with components.queue:
                refresh()

        return run

    # These wait until no job runs.
    refresh_routes = {
        "refresh-vae": components.modules.refresh,
        "refresh-loras": components.networks.refresh,
        "refresh-embeddings": components.embeddings.refresh,
    }
    for name, refresh in refresh_routes.items():
        routes.add_api_route(f"/{name}", run_between_jobs(refresh), methods=["POST"], name=name)
    list_name = "sd-modules" if components.settings.is_forge else "sd-vae"
    routes.add_api_route(f"/{list_name}", components.modules.list_entries, methods=["GET"], name=list_name)

    @routes.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        return components.scripts.titles

    @routes.get("/options")
    def get_options() -> dict[str, Any]:
        return components.options.read()

    @routes.post("/options")
    def post_options(request: dict[str, Any]) -> None:
        previous = components.options[CHECKPOINT]
        components.options.post(request)
        if not components.settings.is_forge and CHECKPOINT in request:
            with components.queue:  # AUTOMATIC1111 loads it before it responds
                if components.memory.load_selected() is not components.checkpoints.selected:
                    components.options.post({CHECKPOINT: previous})

    @routes.get("/cmd-flags")
    def cmd_flags() -> None:
        # The recorded server failed here, because its port was a number and not a text.
        fault = {
            "type": "string_type",
            "loc": ("response", "port"),
            "msg": "Input should be a valid string",
            "input": 7861,
            "url": "https://errors.pydantic.dev/2.8/v/string_type",
        }
        has_page = components.settings.web_ui
        flags = {**recorded_response("cmd-flags"), "nowebui": not has_page, "no_gradio_queue": has_page}
        raise Failure("ResponseValidationError", f"1 validation errors:\n  {fault}\n", body=flags)

    @routes.get("/sd-models")
    def sd_models() -> list[dict[str, Any]]:
        return [checkpoint.list_entry() for checkpoint in components.checkpoints.all()]

    @routes.post("/refresh-checkpoints")
    def refresh_checkpoints() -> None:
        with components.queue:
            components.checkpoints.refresh()

    @routes.get("/embeddings")
    def embeddings() -> dict[str, Any]:
        return components.embeddings.list_response()

    @routes.get("/loras")
    def loras() -> list[dict[str, Any]]:
        return components.networks.list_entries()

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
            cuda = _cuda_memory(components, int(components.settings.gpu_gib * GIB))
        return {"ram": {"free": HOST_BYTES - used, "used": used, "total": HOST_BYTES}, "cuda": cuda}

    all_routes = APIRouter()
    all_routes.include_router(routes)

    @all_routes.get("/controlnet/model_list")
    def controlnet_models(*, update: bool = True) -> dict[str, list[str]]:
        return {"model_list": components.controlnet.model_names(update=update)}

    @all_routes.get("/controlnet/module_list")
    def controlnet_modules() -> dict[str, Any]:
        return {"module_list": components.controlnet.module_names}

    if not components.settings.is_forge:

        @all_routes.get("/controlnet/version")
        def controlnet_version() -> dict[str, int]:
            return {"version": 2}

    return all_routes


def _cuda_memory(components: Components, total_bytes: int) -> dict[str, Any]:
    """Return invented GPU memory figures in the form of AUTOMATIC1111's response."""
    used = int(total_bytes * (0.4 if components.memory.current else 0.1))
    counter = {"current": used, "peak": used}
    return {
        "system": {"free": total_bytes - used, "used": used, "total": total_bytes},
        "active": counter,
        "allocated": counter,
        "reserved": counter,
        "inactive": {"current": 0, "peak": 0},
        "events": {"retries": 0, "oom": 0},
    }
