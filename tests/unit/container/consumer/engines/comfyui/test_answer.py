from typing import Any, cast

import pytest

from container.consumer.engines.comfyui.answer import Asked, read_result
from container.consumer.engines.comfyui.client import ComfyUi, FileTooLarge
from domain.errors import ErrorCode, PermanentError
from local.fakes import media
from tests.support.comfyui import png, text_to_image

NONCE = "a" * 32
ASKED = Asked(
    job="j", prompt=text_to_image(), wanted=["9"], chosen=False, nonce=NONCE, models=[], version="0.27.0"
)


class Server:
    """Has every file that is asked for, also those of other tasks."""

    def view(self, _item: dict[str, Any], _max_bytes: int) -> bytes:
        return png()


def entry(filename: str, subfolder: str, kind: str) -> dict[str, Any]:
    item = {"filename": filename, "subfolder": subfolder, "type": kind}
    return {"outputs": {"9": {"images": [item]}}, "status": {"messages": []}}


@pytest.mark.parametrize(
    ("filename", "subfolder", "kind"),
    [
        ("9_00001_.png", "b" * 32, "output"),
        ("9_00001_.png", "", "output"),
        ("9_00001_.png", f"{NONCE}/../{'b' * 32}", "output"),
        (f"../{'b' * 32}/9_00001_.png", NONCE, "output"),
        ("sdoe-secret.png", "", "input"),
        ("9_00001_.png", "other", "temp"),
    ],
)
def test_a_file_of_another_task_is_never_read(filename: str, subfolder: str, kind: str) -> None:
    with pytest.raises(PermanentError, match="outside of this job's folder"):
        read_result(cast("ComfyUi", Server()), entry(filename, subfolder, kind), ASKED)


def test_a_job_that_made_thousands_of_files_fails_and_stores_none() -> None:
    made = entry("9_00001_.png", NONCE, "output")
    made["outputs"]["9"]["images"] *= 1001
    with pytest.raises(PermanentError, match="at most 1000 are stored"):
        read_result(cast("ComfyUi", Server()), made, ASKED)


def test_a_job_whose_files_are_too_large_together_fails_before_they_fill_the_memory() -> None:
    class Large(Server):
        def view(self, _item: dict[str, Any], max_bytes: int) -> bytes:
            if len(png()) > max_bytes:
                raise FileTooLarge
            return png()

    made = entry("9_00001_.png", NONCE, "output")
    made["outputs"]["9"]["images"] *= 3
    server = cast("ComfyUi", Large())
    with pytest.raises(PermanentError, match="make fewer or smaller files") as raised:
        read_result(server, made, ASKED, max_bytes=3 * len(png()) - 1)
    assert raised.value.code is ErrorCode.WRONG_OUTPUT
    assert len(read_result(server, made, ASKED, max_bytes=3 * len(png())).artifacts) == 3


def test_a_video_under_gifs_is_read() -> None:
    class Videos(Server):
        def view(self, _item: dict[str, Any], _max_bytes: int) -> bytes:
            return media.mp4(8, 8, 2)

    made = entry("9_00001.mp4", NONCE, "output")
    made["outputs"]["9"] = {"gifs": made["outputs"]["9"]["images"]}
    (artifact,) = read_result(cast("ComfyUi", Videos()), made, ASKED).artifacts
    assert (artifact.receipt["output_key"], artifact.receipt["media"]) == ("gifs", "video")


@pytest.mark.parametrize(("subfolder", "kind"), [(NONCE, "output"), ("", "temp"), (NONCE, "temp")])
def test_a_file_of_the_job_is_read(subfolder: str, kind: str) -> None:
    result = read_result(cast("ComfyUi", Server()), entry("9_00001_.png", subfolder, kind), ASKED)
    assert [artifact.data() for artifact in result.artifacts] == [png()]
