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
from local.fakes.comfyui.components import Components
from local.fakes.comfyui.error_responses import ErrorResponses

BINARY: Final = {"content-type": "application/octet-stream"}


def create_app(components: Components) -> Starlette:
    """Create the application."""
    http_routes = [*routes_prompt.routes(components), *routes_files.routes(components)]
    http_routes += routes_catalogue.routes(components)

    async def websocket(socket: WebSocket) -> None:
        client = socket.query_params.get("clientId") or uuid.uuid4().hex
        greeting: list[dict[str, Any]] = [{"type": "status", "data": {**components.status(), "sid": client}}]
        if components.executor.node is not None and any(
            job.client == client for job in list(components.queue.running)
        ):
            greeting.append({"type": "executing", "data": {"node": components.executor.node}})
        await components.events.serve(socket, client, greeting)

    async def on_unknown_route(request: Request, _error: Exception) -> Response:
        return _respond_as_static_files(request)

    all_routes: list[BaseRoute] = [*http_routes, WebSocketRoute("/ws", websocket)]
    app = Starlette(
        routes=[
            Mount("/fake", routes=control.routes(components)),
            *all_routes,
            Mount("/api", routes=all_routes),
        ],
        exception_handlers={404: on_unknown_route, 405: on_unknown_route},
    )
    app.router.redirect_slashes = False
    app.add_middleware(Unavailability, components=components)
    app.add_middleware(ErrorResponses, max_bytes=components.settings.max_upload_bytes)
    return app


def _respond_as_static_files(request: Request) -> Response:
    """Respond as ComfyUI's route for static files, which gets all requests that no other route matches."""
    if request.method in ("GET", "HEAD"):
        return Response(status_code=404, headers=BINARY)
    headers = {"allow": "GET,HEAD"}
    return Response("405: Method Not Allowed", 405, headers=headers, media_type="text/plain")


class Unavailability:
    """Responds 503 while the fault `unavailable` is on; the fake's own routes still respond."""

    def __init__(self, app: ASGIApp, components: Components) -> None:
        self._app = app
        self._components = components

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 503."""
        is_unavailable = self._components.faults.is_on("unavailable")
        if scope["type"] == "http" and is_unavailable and not scope["path"].startswith("/fake"):
            await JSONResponse({}, 503)(scope, receive, send)
            return
        await self._app(scope, receive, send)
