"""Map error responses of SD Web UI to exceptions by their recorded bodies, because the status is not enough.

Sources: `16-*`, `20-*`, `55-*`, `81-*`, `84-*` of the recorded contract.
"""

import json
import re
from typing import Any, Final

from container.consumer.engines.base import AmbiguousError
from domain.errors import ErrorCode, PermanentError, RetryableError

MAX_DETAIL: Final = 500
"""Maximum length of an error's text: a 422 echoes its input, which can be a whole image."""


class EngineUnhealthy(RetryableError):
    """This SD Web UI fails every job because a checkpoint failed to load (55-poisoned-worker-log)."""


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


def fault_of(status: int, body: bytes) -> PermanentError | RetryableError:  # noqa: PLR0911 - one return for each kind of error
    """Return the exception for a response with a status other than 200."""
    answer = _parse(body)
    kind, text = _error_of(answer)
    message = (
        f"SD Web UI responded with {status}: {kind}: {text}".rstrip(": ")
        if kind
        else f"SD Web UI responded with {status}: {text}"
    )
    message = message[:MAX_DETAIL]
    response = _trim(answer)
    if status == 404 and answer == _NO_SUCH_ROUTE:
        # SD Web UI also responds like this before its /sdapi routes exist (83-webui-readiness-race).
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if status in (401, 403, 408, 429, 502, 503, 504):
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if status < 500:
        return PermanentError(ErrorCode.ENGINE_REJECTED, message, response=response)
    if _UNHEALTHY.search(text):
        return EngineUnhealthy(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if _OUT_OF_MEMORY.search(f"{kind} {text}"):
        return PermanentError(ErrorCode.OUT_OF_MEMORY, message, response=response)
    if _UNUSABLE_MODEL.search(text):
        return PermanentError(ErrorCode.MODEL_UNUSABLE, message, response=response)
    if _NO_MODEL.search(text):
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, message, response=response)
    if kind in _REQUEST_ERROR_TYPES or _REQUEST_ERROR_TEXTS.search(text):
        return PermanentError(ErrorCode.ENGINE_ERROR, message, response=response)
    return AmbiguousError(ErrorCode.ENGINE_ERROR, message, response=response)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"detail": body[:MAX_DETAIL].decode(errors="replace")}


def _error_of(answer: Any) -> tuple[str, str]:
    """Return type and text of an error in any of the recorded shapes."""
    if not isinstance(answer, dict):
        return "", str(answer)[:MAX_DETAIL]
    kind = answer.get("error")
    detail = answer.get("detail")
    if isinstance(detail, list):  # pydantic's 422
        texts = (
            f"{'.'.join(map(str, e.get('loc', [])))}: {e.get('msg')}" for e in detail if isinstance(e, dict)
        )
        return "", "; ".join(texts)
    text = answer.get("message") or answer.get("errors") or detail or ""
    return (kind if isinstance(kind, str) else ""), str(text)


def _trim(value: Any) -> Any:
    """Return a response with long texts cut, because it is stored and may echo an image."""
    if isinstance(value, str):
        return value if len(value) <= MAX_DETAIL else f"{value[:MAX_DETAIL]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_trim(item) for item in value[:20]]
    if isinstance(value, dict):
        return {key: _trim(item) for key, item in list(value.items())[:50] if key != "input"}
    return value
