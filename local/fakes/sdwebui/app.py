"""The HTTP application: Web UI's routes and middleware."""

import time
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.fakes.sdwebui import (
    DISCLAIMER,
    VERSION,
    control,
    errors,
    routes_catalogue,
    routes_jobs,
    routes_page,
)
from local.fakes.sdwebui.auth import basic_auth
from local.fakes.sdwebui.components import Components

GZIP_MIN_BYTES = 1000
PAGE = f"<!doctype html><title>fake SD Web UI</title><p>{DISCLAIMER}. See <a href=/docs>/docs</a>.</p>"


def create_app(components: Components) -> FastAPI:
    """Create the application; its /sdapi handlers are synchronous, so that 40 threads serve them all."""
    settings = components.settings
    app = FastAPI(title="SD Web UI fake", version=VERSION, description=DISCLAIMER, strict_content_type=False)
    authentication = [Depends(basic_auth(settings.api_auth))] if settings.api_auth else []
    app.include_router(routes_jobs.router(components), dependencies=authentication)
    app.include_router(routes_catalogue.router(components), dependencies=authentication)
    app.include_router(control.router(components))
    if settings.web_ui:
        app.add_api_route("/", lambda: HTMLResponse(PAGE), include_in_schema=False)
        app.include_router(routes_page.router(components))
    errors.install_handlers(app, style=settings.error_style)
    if not settings.web_ui:  # as recorded: with the page, responses are not compressed
        app.add_middleware(GZipMiddleware, minimum_size=GZIP_MIN_BYTES)
    app.add_middleware(ReadinessGap, components=components)
    if settings.error_style == "a1111":
        app.add_middleware(ProcessTimeHeader)
    app.add_middleware(errors.FailureResponses, style=settings.error_style)
    return app


class ReadinessGap:
    """Responds 404 below /sdapi for a while, as a real one that listens before it has added these routes."""

    def __init__(self, app: ASGIApp, components: Components) -> None:
        self._app = app
        self._faults = components.faults
        self._ends_at = time.monotonic() + components.settings.gap_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 404."""
        path: str = scope.get("path", "")
        is_in_gap = time.monotonic() < self._ends_at or self._faults.is_on("not-ready")
        if is_in_gap and path.startswith(("/sdapi", "/controlnet")):
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class ProcessTimeHeader:
    """Adds AUTOMATIC1111's header with the duration to all responses except those to Python exceptions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and measure its duration."""
        started_at = time.monotonic()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = f"{time.monotonic() - started_at:.4f}".encode()
                headers: list[Any] = [*message["headers"], (b"x-process-time", seconds)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_timed)
