"""Whose fault an error of SD Web UI is, for every recorded error."""

import json
import time
from typing import Any

import pytest

from container.consumer.engines.base import AmbiguousError
from container.consumer.engines.sdwebui.response_errors import (
    MAX_TEXT_CHARACTERS,
    EngineUnhealthy,
    response_error,
)
from domain.errors import ErrorCode, PermanentError, RetryableError
from tests.support.recordings import names, recording

VERDICTS = {
    (PermanentError, ErrorCode.ENGINE_REJECTED): """
        17-invalid-utf8 20-img2img-init-null 20-img2img-missing-init 33-interrogate-unknown-model
        84-a1111mw-init-missing 03-get-on-post-route
    """,
    (PermanentError, ErrorCode.ENGINE_ERROR): """
        12-txt2img-alwayson-args-dict 12-txt2img-alwayson-args-null 12-txt2img-alwayson-value-null
        15-override-unknown-option 16-batch_size-0 16-hr-latent-ok 16-hr-unknown-upscaler 16-n_iter-0
        16-n_iter-minus1 16-prompt-null 16-refiner-unknown 16-seed-2^70 16-steps-0 16-steps-negative
        16-width-0 16-width-1 16-width-10^30 16-width-minus1 20-img2img-bad-data-uri
        20-img2img-base64-of-garbage 20-img2img-data-octet 20-img2img-data-uri-no-base64-word
        20-img2img-empty-string 20-img2img-file-path 20-img2img-init-empty-list 20-img2img-invalid-base64
        20-img2img-no-size 20-img2img-null-element 20-img2img-truncated-png 20-img2img-two-inits
        20-img2img-urlsafe-base64 21-img2img-mask-invalid 22-url-init-default 22-url-init-not-image
        22-url-init-requests-disabled 30-extra-single-bad-image 30-extra-single-missing-image
        30-extra-single-upscaler-unknown 31-extra-batch-one-bad 32-png-info-bad 32-png-info-empty
        33-interrogate-deepdanbooru 33-interrogate-missing 40-options-post-partial-fail
        40-options-post-unknown-key 83-webui-error-shape-500 83-webui-failing-task-id
        84-a1111mw-invalid-base64 84-a1111mw-negative-width 84-a1111mw-steps0
    """,
    (PermanentError, ErrorCode.OUT_OF_MEMORY): "16-width-10^12",
    (
        PermanentError,
        ErrorCode.MODEL_UNUSABLE,
    ): "55-broken-checkpoint-override 55-truncated-checkpoint-override",
    (EngineUnhealthy, ErrorCode.ENGINE_UNAVAILABLE): """
        55-broken-next-request-original-model 55-truncated-next-request-original-model
    """,
    (RetryableError, ErrorCode.ENGINE_UNAVAILABLE): """
        03-get-sd-vae 03-get-unknown-path 81-nomodel-file-arrives-no-refresh 81-nomodel-txt2img-after-refresh
        81-nomodel-txt2img-again 81-nomodel-txt2img-override-after-refresh 81-nomodel-txt2img 82-auth-none
        82-auth-txt2img-none 82-auth-wrong 83-webui-error-shape-404 84-a1111mw-404
        84-a1111mw-options-unknown-model
    """,
    (AmbiguousError, ErrorCode.ENGINE_ERROR): """
        03-get-cmd-flags 22-url-init-no-dns 22-url-init-refused 40-options-get-after-wrong-type
        50-extra-single-with-bad-format 50-options-samples_format-avif 50-options-samples_format-empty
        50-options-samples_format-tiff 50-override-samples_format-PNG 50-override-samples_format-tiff
        82-server-restart 83-webui-cmd-flags
    """,
}
"""The recorded errors by the exception that they must become; an error with status 422 is always a refusal.

`AmbiguousError` is right where the cause may be the server: an image format that no task can choose, or a
checkpoint that may still be downloading.
"""

BY_NAME = {name: verdict for verdict, names in VERDICTS.items() for name in names.split()}


def errors() -> dict[str, Any]:
    """Return the responses of all recorded errors."""
    read = {name: recording(name) for name in names("*")}
    responses = {
        name: recording["response"]
        for name, recording in read.items()
        if isinstance(recording.get("response"), dict)
    }
    return {name: response for name, response in responses.items() if response.get("status", 200) >= 400}


def body_of(response: dict[str, Any]) -> bytes:
    """Return the body of a response."""
    return json.dumps(response["json"]).encode() if "json" in response else response.get("text", "").encode()


@pytest.mark.parametrize(("name", "response"), sorted(errors().items()))
def test_every_recorded_error_is_mapped_to_an_exception(name: str, response: dict[str, Any]) -> None:
    rejected = (PermanentError, ErrorCode.ENGINE_REJECTED)
    expected = rejected if response["status"] == 422 else BY_NAME[name]
    fault = response_error(response["status"], body_of(response))
    assert (type(fault), fault.code) == expected
    assert len(fault.message) <= MAX_TEXT_CHARACTERS


def test_a_422_that_echoes_an_image_is_trimmed() -> None:
    """Parts of it are stored in logs, rows, callbacks and output documents."""
    image = "iVBORw0KGgo" * 10_000
    body = {
        "detail": [{"type": "list_type", "loc": ["body", "init_images"], "msg": "no list", "input": image}]
    }
    fault = response_error(422, json.dumps(body).encode())
    assert fault.message == "SD Web UI responded with 422: body.init_images: no list"
    assert fault.response == {
        "detail": [{"type": "list_type", "loc": ["body", "init_images"], "msg": "no list"}]
    }
    elsewhere = response_error(
        500, json.dumps({"error": "ValueError", "message": image, "body": [image]}).encode()
    )
    assert len(elsewhere.message) <= MAX_TEXT_CHARACTERS
    assert len(json.dumps(elsewhere.response)) < 3 * MAX_TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("AttributeError", "'NoneType' object has no attribute 'do_not_save'"),
        ("AttributeError", "'str' object has no attribute 'get'"),
        (
            "ValidationError",
            "1 validation error for ControlNetUnit\nmodule\n  module(None) not found in supported modules.",
        ),
        ("KeyError", "'no_such_option'"),
        ("ValueError", "could not convert string to float: 'abc'"),
        ("ValueError", "invalid literal for int() with base 10: 'x'"),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (154x2048 and 768x320)"),
        ("HTTPException", "Script 'poor man's outpainting' not found"),
        ("RecursionError", "maximum recursion depth exceeded"),
    ],
)
def test_an_error_caused_by_the_request_is_permanent(kind: str, text: str) -> None:
    for answer in ({"error": kind, "errors": text}, {"error": kind, "message": text}):
        fault = response_error(500, json.dumps(answer).encode())
        assert (type(fault), fault.code) == (PermanentError, ErrorCode.ENGINE_ERROR)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("AttributeError", "'NoneType' object has no attribute 'lowvram'"),
        ("ResponseValidationError", "1 validation errors"),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered"),
        ("OSError", "[Errno 28] No space left on device"),
    ],
)
def test_an_error_that_may_be_the_servers_fault_is_retried(kind: str, text: str) -> None:
    assert type(response_error(500, json.dumps({"error": kind, "message": text}).encode())) is AmbiguousError


@pytest.mark.parametrize("text", ["Script '" * 200_000, "model '" * 200_000, "'str' object " * 100_000])
def test_an_error_of_any_length_is_read_in_linear_time(text: str) -> None:
    body = json.dumps({"error": "ValueError", "message": text}).encode()
    begun = time.process_time()
    response_error(500, body)

    assert time.process_time() - begun < 2


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[]", b'"text"', b"null"])
def test_a_response_of_any_form_is_mapped_to_an_exception(body: bytes) -> None:
    """A proxy between the consumer and SD Web UI may respond in its own form."""
    assert type(response_error(500, body)) is AmbiguousError
    assert type(response_error(502, body)) is RetryableError
    assert type(response_error(400, body)) is PermanentError
