"""Convert errors to HTTP responses."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from domain.api_routes import METHODS, SUBMITS
from domain.errors import ErrorCode, InvalidTask
from domain.metrics import REJECTED
from domain.row import UnreadableRow
from functions.api.request_errors import unreadable_row
from functions.api.requests import request_id
from functions.api.response_bodies import error_body
from functions.log import error_fields, logger
from functions.measure import count

_SUBMIT_PATHS = frozenset(route.path for route in SUBMITS)


def json_response(
    body: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[str]:
    """Return a JSON response; responses about tasks must not be cached."""
    return Response(
        status_code=int(status),
        content_type="application/json",
        body=json.dumps(body, separators=(",", ":")),
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def add_error_handlers(app: APIGatewayRestResolver) -> None:
    """Install handlers for refused requests, unknown routes and internal errors."""

    def refused(error: InvalidTask) -> Response[str]:
        fields = {"status": error.status, "code": error.code.value, "faults": len(error.faults)}
        logger.info("request refused", extra=fields)
        if app.current_event.path in _SUBMIT_PATHS:
            count(REJECTED, code=error.code.value)
        return json_response(error_body(error.code, error.message, error.faults), error.status)

    def row_unreadable(_error: UnreadableRow) -> Response[str]:
        logger.error("a task's row cannot be read", extra={"path": app.current_event.path})
        return refused(unreadable_row())

    def route_not_found(_error: Exception) -> Response[str]:
        methods = _allowed_methods(app.current_event.path)
        if app.current_event.http_method in methods:
            # The resolver only finds routes for names of some characters, and no task or runtime has others.
            text = "Nothing has this name: the path contains characters that no name has."
            return json_response(error_body(ErrorCode.NOT_FOUND, text), HTTPStatus.NOT_FOUND)
        if not methods:
            return json_response(
                error_body(ErrorCode.NOT_FOUND, "There is no such path."), HTTPStatus.NOT_FOUND
            )
        allowed = ", ".join(methods)
        return json_response(
            error_body(ErrorCode.METHOD_NOT_ALLOWED, f"This path allows {allowed}."),
            HTTPStatus.METHOD_NOT_ALLOWED,
            {"Allow": allowed},
        )

    def internal_error(error: Exception) -> Response[str]:
        api_request_id = request_id(app.current_event)
        logger.error("the request failed", extra={"request_id": api_request_id, **error_fields(error)})
        body = error_body(ErrorCode.INTERNAL_ERROR, "The request failed. Its id finds the cause in the logs.")
        body["error"]["request_id"] = api_request_id
        return json_response(body, HTTPStatus.INTERNAL_SERVER_ERROR)

    app.exception_handler(InvalidTask)(refused)
    app.exception_handler(UnreadableRow)(row_unreadable)
    app.not_found(route_not_found)
    app.exception_handler(Exception)(internal_error)


def _allowed_methods(path: str) -> tuple[str, ...]:
    segments = path.rstrip("/").split("/")
    for pattern, methods in METHODS.items():
        pattern_segments = pattern.split("/")
        if len(pattern_segments) == len(segments) and all(
            expected == segment or expected.startswith("{")
            for expected, segment in zip(pattern_segments, segments, strict=True)
        ):
            return methods
    return ()
