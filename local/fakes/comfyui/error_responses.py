"""Respond to requests whose handlers fail, and to those that ComfyUI refuses before any handler."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SERVER_ERROR: Final = b"500 Internal Server Error\n\nServer got itself in trouble"


class Crash(Exception):
    """The handler of a request raises an exception, so that the response is 500."""


class DropConnection(Exception):
    """The connection is closed without a response."""


class ErrorResponses:
    """Responds to exceptions with 500, to bodies beyond the limit with 413, to foreign origins with 403."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and respond if it fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if _is_foreign(headers):
            await _respond(send, 403, b"")
            return
        if int(headers.get("content-length", 0)) > self._max_bytes:
            text = f"Maximum request body size {self._max_bytes} exceeded."
            await _respond(send, 413, text.encode(), b"text/plain; charset=utf-8")
            return
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except DropConnection:
            scope["app"].state.close_connection(scope["client"])
            raise
        except Exception:  # noqa: BLE001 -- aiohttp catches all too
            if not has_begun:
                await _respond(send, 500, SERVER_ERROR, b"text/plain; charset=utf-8")


def _is_foreign(headers: dict[str, str]) -> bool:
    """Return whether a page of another site sends the request, which ComfyUI refuses on loopback."""
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin", "").partition("//")[2]
    host = headers.get("host", "")
    return bool(origin) and host.split(":")[0] in ("127.0.0.1", "localhost") and origin != host


async def _respond(send: Send, status: int, body: bytes, content_type: bytes | None = None) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    if content_type is not None:
        headers.append((b"content-type", content_type))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
