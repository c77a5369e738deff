"""The routes that only exist with Web UI's own page (`--web-ui`)."""

from typing import Any

from fastapi import APIRouter

from local.fakes.sdwebui.parts import Parts
from local.fakes.sdwebui.requests import ProgressOfTask


def router(parts: Parts) -> APIRouter:
    """Make the routes."""
    routes = APIRouter(prefix="/internal")

    @routes.get("/ping")
    def ping() -> dict[str, Any]:
        return {}

    @routes.post("/progress")
    def progress(request: ProgressOfTask) -> dict[str, Any]:
        return parts.tasks.progress(request.id_task)

    @routes.get("/pending-tasks")
    def pending_tasks() -> dict[str, Any]:
        return parts.tasks.pending()

    return routes
