"""The responses to jobs, and those that break the connection because of a fault."""

from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from local.fakes.faults import Fault


class ResponseCutOffError(ConnectionError):
    """Ends a response in the middle, on purpose."""


class TruncatedResponse(JSONResponse):
    """Sends the first half of a body and then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ResponseCutOffError


class NoResponse(JSONResponse):
    """Closes the connection without sending anything."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        scope["app"].state.close_connection(scope["client"])
        raise ResponseCutOffError


def job_response(body: dict[str, Any]) -> JSONResponse:
    """Return the response to a job; it is cut off or missing if one of the faults in `injected` says so."""
    injected: dict[str, Fault] = body.pop("injected")
    if "close" in injected:
        return NoResponse(body)
    return TruncatedResponse(body) if "truncate" in injected else JSONResponse(body)
