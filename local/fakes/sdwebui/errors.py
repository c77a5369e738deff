"""The forms of SD Web UI's error responses, as recorded in tests/contract/recordings."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# In the recorded responses; later versions of FastAPI leave it out.
PYDANTIC_URL = "https://errors.pydantic.dev/2.8/v/"


class Failure(Exception):
    """A Python exception of the type `kind` inside Web UI; the response is 500, whoever caused it."""

    def __init__(self, kind: str, message: str = "", *, body: Any = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.body = body


def invalid_image() -> HTTPException:
    """Return the error for an image that cannot be read, a client error with status 500."""
    return HTTPException(500, "Invalid encoded image")


def no_checkpoint_loaded() -> Failure:
    """Return the error of a Web UI whose last checkpoint failed to load."""
    return Failure("AttributeError", "'NoneType' object has no attribute 'sd_checkpoint_info'")


# All recorded kinds of status 500 by name, for the fault `error`. The text for out-of-memory is the one of
# torch on a GPU, which the recorded server did not have.
_KINDS: dict[str, Callable[[], Failure | HTTPException]] = {
    "out-of-memory": partial(
        Failure,
        "OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.58 GiB of which "
        "1.20 GiB is free.",
    ),
    "host-memory": partial(
        Failure,
        "RuntimeError",
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 16000000000000 bytes. Error code 12 (Cannot allocate memory)",
    ),
    "no-checkpoint-loaded": no_checkpoint_loaded,
    "corrupt-checkpoint": partial(Failure, "ValueError", "Failed to recognize model type!"),
    "no-model": partial(
        Failure,
        "ValueError",
        "You do not have any model! Please download at least one model in [models/Stable-diffusion].",
    ),
    "model-not-found": partial(Failure, "RuntimeError", "model 'nope.safetensors' not found"),
    "zero-division": partial(Failure, "ZeroDivisionError", "integer division or modulo by zero"),
    "index": partial(Failure, "IndexError", "list index out of range"),
    "type": partial(Failure, "TypeError", "argument of type 'NoneType' is not iterable"),
    "key": partial(Failure, "KeyError", "'no_such_option'"),
    "assertion": partial(Failure, "AssertionError", ""),
    "attribute": partial(Failure, "AttributeError", "'NoneType' object has no attribute 'startswith'"),
    "os": partial(Failure, "OSError", "image file is truncated"),
    "connection": partial(
        Failure, "ConnectionError", "HTTPConnectionPool(host='x', port=80): Max retries exceeded"
    ),
    "upscaler": partial(Failure, "Exception", "could not find upscaler named nope"),
    "size": partial(
        Failure, "RuntimeError", "Trying to create tensor with negative dimension -1: [4, 8, -1]"
    ),
    "overflow": partial(Failure, "ValueError", "Overflow when unpacking long long"),
    "response-validation": partial(Failure, "ResponseValidationError", "1 validation errors:\n", body={}),
    "invalid-image": invalid_image,
    "invalid-format": partial(HTTPException, 500, "Invalid image format"),
    "local-url": partial(HTTPException, 500, "Request to local resource not allowed"),
    "not-an-image-url": partial(HTTPException, 500, "Invalid image url"),
    "requests-off": partial(HTTPException, 500, "Requests not allowed"),
}
KINDS = frozenset(_KINDS)


def recorded_failure(kind: str) -> Failure | HTTPException:
    """Create a failure of a recorded kind; each is a new object, because an exception keeps its traceback."""
    return _KINDS[kind]()


def validation_details(error: RequestValidationError) -> list[dict[str, Any]]:
    """Return the errors of a body as recorded; each repeats its input, even if that is a whole image."""
    return [_as_recorded(fault) for fault in error.errors()]


def _as_recorded(fault: dict[str, Any]) -> dict[str, Any]:
    if fault["type"] == "json_invalid":
        return fault
    if isinstance(fault["input"], bytes):
        fault = {**fault, "input": fault["input"].decode(errors="replace")}
    if list(fault["loc"]) == ["body"] and fault["input"] is None:
        fault = {"type": "missing", "loc": fault["loc"], "msg": "Field required", "input": None}
    return {**fault, "url": PYDANTIC_URL + fault["type"]}


class FailureResponses:
    """Responds to Python exceptions; the outermost middleware, because these responses are not compressed."""

    def __init__(self, app: ASGIApp, *, style: str) -> None:
        self._app = app
        self._text_key = "errors" if style == "a1111" else "message"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and respond if it fails."""
        try:
            await self._app(scope, receive, send)
        except Failure as error:
            body = {"error": error.kind, "detail": "", "body": error.body, self._text_key: error.message}
            await JSONResponse(body, 500)(scope, receive, send)


def install_handlers(app: FastAPI, *, style: str) -> None:
    """Use Forge's forms of errors, or those of AUTOMATIC1111's middleware (`style` "a1111")."""
    is_a1111 = style == "a1111"

    def on_validation_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return JSONResponse({"detail": validation_details(error)}, 422)

    def on_http_exception(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        body: dict[str, Any] = {"detail": error.detail}
        if is_a1111:
            body = {"error": "HTTPException", "detail": error.detail, "body": "", "errors": ""}
        return JSONResponse(body, error.status_code, headers=dict(error.headers or {}))

    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
