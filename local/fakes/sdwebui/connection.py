"""Responses that break the connection."""

from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from local.fakes.faults import Fault


class BrokenOffError(ConnectionError):
    """A response ends in the middle on purpose."""


class Truncated(JSONResponse):
    """Sends the first half of a body and then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise BrokenOffError


class Closed(JSONResponse):
    """Closes the connection without sending anything."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        scope["app"].state.drop(scope["client"])
        raise BrokenOffError


def answer(body: dict[str, Any]) -> JSONResponse:
    """Return the response of a job, broken if one of its injected faults says so."""
    injected: dict[str, Fault] = body.pop("injected")
    if "close" in injected:
        return Closed(body)
    return Truncated(body) if "truncate" in injected else JSONResponse(body)
