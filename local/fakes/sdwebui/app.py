"""The HTTP application: Web UI's routes around the parts, and what wraps them."""

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
from local.fakes.sdwebui.parts import Parts

GZIP_FROM_BYTES = 1000
PAGE = f"<!doctype html><title>fake SD Web UI</title><p>{DISCLAIMER}. See <a href=/docs>/docs</a>.</p>"


def create_app(parts: Parts) -> FastAPI:
    """Make the application. Every /sdapi handler is synchronous: 40 threads serve them all, as recorded."""
    settings = parts.settings
    app = FastAPI(title="SD Web UI fake", version=VERSION, description=DISCLAIMER, strict_content_type=False)
    guard = [Depends(basic_auth(settings.api_auth))] if settings.api_auth else []
    app.include_router(routes_jobs.router(parts), dependencies=guard)
    app.include_router(routes_catalogue.router(parts), dependencies=guard)
    app.include_router(control.router(parts))
    if settings.web_ui:
        app.add_api_route("/", lambda: HTMLResponse(PAGE), include_in_schema=False)
        app.include_router(routes_page.router(parts))
    errors.install(app, style=settings.errors)
    if not settings.web_ui:  # as recorded: behind the page's server nothing is compressed
        app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES)
    app.add_middleware(Gate, parts=parts)
    if settings.errors == "a1111":
        app.add_middleware(ProcessTime)
    app.add_middleware(errors.Failures, style=settings.errors)
    return app


class Gate:
    """Answer 404 below /sdapi while those routes do not exist yet, which means: come again."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._faults = parts.faults
        self._opens = time.monotonic() + parts.settings.gap_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or not."""
        path: str = scope.get("path", "")
        closed = time.monotonic() < self._opens or self._faults.standing("not-ready")
        if closed and path.startswith(("/sdapi", "/controlnet")):
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class ProcessTime:
    """Add AUTOMATIC1111's header to what did not fail with an exception of Python's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time a request."""
        began = time.monotonic()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = f"{time.monotonic() - began:.4f}".encode()
                headers: list[Any] = [*message["headers"], (b"x-process-time", took)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, tell)
