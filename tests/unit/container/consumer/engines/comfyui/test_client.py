"""A response of ComfyUI that it never gives is an error with a code, which is tried again."""

import pytest

from container.consumer.engines.comfyui.client import ComfyUi
from domain.errors import ErrorCode, RetryableError
from tests.support.flaky_server import FlakyServer, run_flaky_server


@pytest.mark.parametrize("content", [b"<html>", b"5", b'{"a": 1}', b'["a", null]'])
def test_a_list_of_models_that_is_none_is_tried_again(content: bytes) -> None:
    with run_flaky_server(FlakyServer(content)) as server, pytest.raises(RetryableError) as raised:
        ComfyUi(server.url).models("checkpoints")
    assert raised.value.code is ErrorCode.ENGINE_UNAVAILABLE


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"{}"])
def test_an_upload_without_a_name_is_tried_again(content: bytes) -> None:
    with run_flaky_server(FlakyServer(content)) as server, pytest.raises(RetryableError) as raised:
        ComfyUi(server.url).upload("a.png", b"", "image/png")
    assert raised.value.code is ErrorCode.ENGINE_UNAVAILABLE
