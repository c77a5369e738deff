"""Map error responses of SD Web UI to exceptions by their bodies, because the status says too little.

The bodies were recorded from real servers: `16-*`, `20-*`, `55-*`, `81-*`, `84-*` in
tests/contract/recordings.
"""

import json
import re
from typing import Any, Final

from container.consumer.engines.base import AmbiguousError
from domain.errors import ErrorCode, PermanentError, RetryableError

MAX_TEXT_CHARACTERS: Final = 500
"""Maximum length of an error's text: a 422 echoes its input, which can be a whole image."""


class EngineUnhealthy(RetryableError):
    """SD Web UI fails every job because it has no checkpoint loaded (55-poisoned-worker-log)."""


_UNHEALTHY: Final = re.compile(r"'NoneType' object has no attribute 'sd_checkpoint_info'")
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|OutOfMemory|can't allocate memory|not enough memory", re.IGNORECASE
)
_UNUSABLE_MODEL: Final = re.compile(
    r"Failed to recognize model type|not a valid safetensors|invalid header|HeaderTooLarge|HeaderTooSmall"
    r"|MetadataIncompleteBuffer|InvalidHeader|Error while deserializing header|PytorchStreamReader",
    re.IGNORECASE,
)
_NO_MODEL: Final = re.compile(r"You do not have any model|^model '.*' not found$|^No checkpoints found")
_REQUEST_ERROR_TYPES: Final = frozenset(
    {
        "AssertionError",
        "DecompressionBombError",
        "IndexError",
        "KeyError",
        "OverflowError",
        "RecursionError",
        "TypeError",
        "UnidentifiedImageError",
        "ValidationError",  # of a script's arguments; SD Web UI's own is a ResponseValidationError
        "ZeroDivisionError",
    },
)
"""Types of errors that are caused by the content of a request, so that a second attempt fails likewise."""

_REQUEST_ERROR_TEXTS: Final = re.compile(
    r"Invalid encoded image|Invalid image url|Requests not allowed|Request to local resource not allowed"
    r"|bad number of images passed|Overflow when unpacking|negative dimension|must be non-negative"
    r"|padded input size|could not find upscaler|Could not find checkpoint|image file is truncated"
    r"|cannot identify image file|Script '.{0,200}' not found"
    r"|invalid literal for int|could not convert string to float|Incorrect padding"
    r"|'(?:str|list|dict|int|float|bool)' object has no attribute"
    r"|has no attribute '(?:startswith|do_not_save)'"
    r"|shapes cannot be multiplied|must match the size of tensor|Sizes of tensors must match",
)
"""Texts of errors of other types that are caused by a request: its inputs, a value of a wrong type, a setting
that this SD Web UI does not have, models of different families."""

_NO_SUCH_ROUTE: Final = {"detail": "Not Found"}


def response_error(status: int, body: bytes) -> PermanentError | RetryableError:  # noqa: PLR0911 - one return for each kind of error
    """Return the exception for a response with a status other than 200."""
    parsed = _parse(body)
    error_type, text = _type_and_text(parsed)
    message = (
        f"SD Web UI responded with {status}: {error_type}: {text}".rstrip(": ")
        if error_type
        else f"SD Web UI responded with {status}: {text}"
    )
    message = message[:MAX_TEXT_CHARACTERS]
    response = _trim(parsed)
    if status == 404 and parsed == _NO_SUCH_ROUTE:
        # SD Web UI also responds like this before its /sdapi routes exist (83-webui-readiness-race).
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if status in (401, 403, 408, 429, 502, 503, 504):
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if status < 500:
        return PermanentError(ErrorCode.ENGINE_REJECTED, message, response=response)
    if _UNHEALTHY.search(text):
        return EngineUnhealthy(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if _OUT_OF_MEMORY.search(f"{error_type} {text}"):
        return PermanentError(ErrorCode.OUT_OF_MEMORY, message, response=response)
    if _UNUSABLE_MODEL.search(text):
        return PermanentError(ErrorCode.MODEL_UNUSABLE, message, response=response)
    if _NO_MODEL.search(text):
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if error_type in _REQUEST_ERROR_TYPES or _REQUEST_ERROR_TEXTS.search(text):
        return PermanentError(ErrorCode.ENGINE_ERROR, message, response=response)
    return AmbiguousError(ErrorCode.ENGINE_ERROR, message, response=response)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"detail": body[:MAX_TEXT_CHARACTERS].decode(errors="replace")}


def _type_and_text(parsed: Any) -> tuple[str, str]:
    """Return the type (often "") and the text of an error in any of the recorded shapes."""
    if not isinstance(parsed, dict):
        return "", str(parsed)[:MAX_TEXT_CHARACTERS]
    error_type = parsed.get("error")
    detail = parsed.get("detail")
    if isinstance(detail, list):  # pydantic's 422
        texts = (
            f"{'.'.join(map(str, fault.get('loc', [])))}: {fault.get('msg')}"
            for fault in detail
            if isinstance(fault, dict)
        )
        return "", "; ".join(texts)
    text = parsed.get("message") or parsed.get("errors") or detail or ""
    return (error_type if isinstance(error_type, str) else ""), str(text)


def _trim(value: Any) -> Any:
    """Return a response with long texts cut, because it is stored and may echo an image."""
    if isinstance(value, str):
        return (
            value
            if len(value) <= MAX_TEXT_CHARACTERS
            else f"{value[:MAX_TEXT_CHARACTERS]}… ({len(value)} characters)"
        )
    if isinstance(value, list):
        return [_trim(item) for item in value[:20]]
    if isinstance(value, dict):
        return {key: _trim(item) for key, item in list(value.items())[:50] if key != "input"}
    return value
