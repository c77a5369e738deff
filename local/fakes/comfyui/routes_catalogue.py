"""The routes that describe the server: its classes of nodes, its models and its system."""

import json
import os
import sys
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.fakes.comfyui.catalogue import CLASSES
from local.fakes.comfyui.components import Components
from local.fakes.comfyui.folders import MODEL_FOLDERS

RAM_BYTES = 25_276_063_744  # of the machine on which the responses were recorded


def routes(components: Components) -> list[Route]:
    """Return the routes."""
    folders, catalogue, settings = components.folders, components.catalogue, components.settings

    async def object_info(_: Request) -> Response:
        return JSONResponse(catalogue.describe_all())

    async def object_info_of(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse({name: catalogue.describe(name)} if name in CLASSES else {})

    async def models(_: Request) -> Response:
        return JSONResponse(list(MODEL_FOLDERS))

    async def models_of(request: Request) -> Response:
        name = request.path_params["folder"]
        return JSONResponse(folders.models(name)) if name in MODEL_FOLDERS else Response(status_code=404)

    async def embeddings(_: Request) -> Response:
        return JSONResponse([os.path.splitext(name)[0] for name in folders.models("embeddings")])  # noqa: PTH122

    async def system_stats(_: Request) -> Response:
        return JSONResponse(_system(settings.version, settings.argv))

    async def features(_: Request) -> Response:
        facts: dict[str, Any] = {
            "supports_preview_metadata": True,
            "max_upload_size": settings.max_upload_bytes,
        }
        if not settings.old:
            facts |= {
                "extension": {"manager": {"supports_v4": True}},
                "node_replacements": True,
                "assets": False,
            }
        return JSONResponse(facts)

    async def extensions(_: Request) -> Response:
        return Response(json.dumps([]), media_type="application/json")

    return [
        Route("/object_info", object_info),
        Route("/object_info/{name}", object_info_of),
        Route("/models", models),
        Route("/models/{folder}", models_of),
        Route("/embeddings", embeddings),
        Route("/system_stats", system_stats),
        Route("/features", features),
        Route("/extensions", extensions),
    ]


def _system(version: str, argv: tuple[str, ...]) -> dict[str, Any]:
    system: dict[str, Any] = {
        "os": "posix" if version == "0.3.64" else "linux",
        "ram_total": RAM_BYTES,
        "ram_free": RAM_BYTES,
        "comfyui_version": version,
        "required_frontend_version": "1.27.10" if version == "0.3.64" else "1.45.20",
        "installed_templates_version": None,
        "required_templates_version": "0.1.95" if version == "0.3.64" else "0.11.1",
        "python_version": sys.version,
        "pytorch_version": "2.13.0+cpu",
        "embedded_python": False,
        "argv": list(argv),
    }
    if version != "0.3.64":
        system |= {"comfy_package_versions": [], "deploy_environment": "local-git"}
    device = {"name": "cpu", "type": "cpu", "index": None, "vram_total": RAM_BYTES, "vram_free": RAM_BYTES}
    device |= {"torch_vram_total": RAM_BYTES, "torch_vram_free": RAM_BYTES}
    return {"system": system, "devices": [device]}
