"""The HTTP and websocket application: ComfyUI's routes, each also below /api, and the fake's own."""

import uuid
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from local.fakes.comfyui import control, routes_catalogue, routes_files, routes_prompt
from local.fakes.comfyui.answers import Failures
from local.fakes.comfyui.components import Components

BINARY: Final = {"content-type": "application/octet-stream"}


def create_app(components: Components) -> Starlette:
    """Create the application."""
    own = [*routes_prompt.routes(components), *routes_files.routes(components)]
    own += routes_catalogue.routes(components)

    async def websocket(socket: WebSocket) -> None:
        client = socket.query_params.get("clientId") or uuid.uuid4().hex
        greeting: list[dict[str, Any]] = [{"type": "status", "data": {**components.status(), "sid": client}}]
        if components.executor.node is not None and any(
            job.client == client for job in list(components.queue.running)
        ):
            greeting.append({"type": "executing", "data": {"node": components.executor.node}})
        await components.events.attend(socket, client, greeting)

    async def missing(request: Request, _error: Exception) -> Response:
        return _unknown(request)

    shared: list[BaseRoute] = [*own, WebSocketRoute("/ws", websocket)]
    app = Starlette(
        routes=[Mount("/fake", routes=control.routes(components)), *shared, Mount("/api", routes=shared)],
        exception_handlers={404: missing, 405: missing},
    )
    app.router.redirect_slashes = False
    app.add_middleware(Gate, components=components)
    app.add_middleware(Failures, max_bytes=components.settings.max_upload_bytes)
    return app


def _unknown(request: Request) -> Response:
    """Respond as ComfyUI's route for static files, which takes whatever no other route takes."""
    if request.method in ("GET", "HEAD"):
        return Response(status_code=404, headers=BINARY)
    allowed = {"allow": "GET,HEAD"}
    return Response("405: Method Not Allowed", 405, headers=allowed, media_type="text/plain")


class Gate:
    """Responds 503 while the fault `unavailable` is on; the fake's own routes go on."""

    def __init__(self, app: ASGIApp, components: Components) -> None:
        self._app = app
        self._components = components

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 503."""
        closed = self._components.faults.is_on("unavailable")
        if scope["type"] == "http" and closed and not scope["path"].startswith("/fake"):
            await JSONResponse({}, 503)(scope, receive, send)
            return
        await self._app(scope, receive, send)
