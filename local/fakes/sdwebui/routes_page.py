"""The routes that only exist with Web UI's own page (`--web-ui`)."""

from typing import Any

from fastapi import APIRouter

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.requests import ProgressOfTask


def router(components: Components) -> APIRouter:
    """Return the routes below /internal."""
    routes = APIRouter(prefix="/internal")

    @routes.get("/ping")
    def ping() -> dict[str, Any]:
        return {}

    @routes.post("/progress")
    def progress(request: ProgressOfTask) -> dict[str, Any]:
        return components.tasks.progress(request.id_task)

    @routes.get("/pending-tasks")
    def pending_tasks() -> dict[str, Any]:
        return components.tasks.pending()

    return routes
