"""The parts of an operation in the OpenAPI document."""

from typing import Any, Final

from functions.api.schemas import ref

Operation = dict[str, Any]


def parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return an optional parameter of the query string."""
    return {"name": name, "in": "query", "required": False, "schema": schema}


ETAG_HEADER: Final = {
    "ETag": {
        "description": "The tag of the task's state and progress; waiting takes it as `If-None-Match`.",
        "required": True,
        "schema": {"type": "string"},
    }
}

_ERRORS: Final = {
    400: "The request has faults, which are all listed",
    404: "There is no such task or runtime, or it is no longer kept",
    409: "The state of the task does not allow this",
    413: "The body is too large",
    415: "The body is not application/json",
}


def operation(
    name: str,
    summary: str,
    results: dict[int, tuple[str, str]],
    *errors: int,
    body: str | None = None,
    body_required: bool = True,
    headers: dict[str, Any] | None = None,
    description: str | None = None,
) -> Operation:
    """Return an operation with its successful responses by status, and its errors.

    `headers` are those of the successful responses.
    """
    responses: dict[str, Any] = {
        str(status): {"description": text, "content": {"application/json": {"schema": ref(schema)}}}
        for status, (text, schema) in results.items()
    }
    for response in responses.values() if headers else ():
        response["headers"] = headers
    responses |= {str(status): error(_ERRORS[status]) for status in errors}
    responses |= common_errors()
    found: Operation = {"operationId": name, "summary": summary, "responses": responses}
    if description:
        found["description"] = description
    if body:
        found["requestBody"] = {
            "required": body_required,
            "content": {"application/json": {"schema": ref(body)}},
        }
    return found


def common_errors() -> dict[str, Any]:
    """Return the error responses that every operation has."""
    return {
        "403": error("The API key is missing or unknown"),
        "429": error("More requests than the usage plan allows"),
        "default": error("An internal error, with the request's id"),
    }


def error(text: str) -> dict[str, Any]:
    """Return a response with the body of every error."""
    return {"description": text, "content": {"application/json": {"schema": ref("Error")}}}
