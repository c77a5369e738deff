"""Answers that break the connection."""

from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from local.fakes.sdwebui.faults import Fault


class BrokenOffError(ConnectionError):
    """End the answering of a request in the middle, on purpose."""


class Truncated(JSONResponse):
    """Send the first half of a body and then close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's signature
        """Send half."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise BrokenOffError


class Closed(JSONResponse):
    """Close the connection without a byte of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's signature
        """Send nothing."""
        scope["app"].state.drop(scope["client"])
        raise BrokenOffError


def answer(body: dict[str, Any]) -> JSONResponse:
    """Answer with a job's body, or break off as its faults (`struck`) say."""
    struck: dict[str, Fault] = body.pop("struck")
    if "close" in struck:
        return Closed(body)
    return Truncated(body) if "truncate" in struck else JSONResponse(body)
