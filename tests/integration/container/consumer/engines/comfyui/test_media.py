"""Videos, sounds, animations and texts as outputs and inputs, on a fake ComfyUI."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from container.consumer.engines.base import Result
from container.consumer.engines.comfyui.client import FileTooLarge
from container.consumer.inputs.images import sniff
from domain.errors import ErrorCode, PermanentError
from local.fakes import media
from tests.support.comfyui import node, png, text_to_image
from tests.support.comfyui_worker import LINK, Worker, run_worker

SOUND = {"20": node("EmptyAudio", duration=1.0, sample_rate=44_100, channels=2)}
VIDEO = {"20": node("CreateVideo", images=["8", 0], fps=8)}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with run_worker(Path(tmp_path_factory.mktemp("comfyui"))) as one:
        yield one


def test_no_more_of_a_file_is_read_than_there_is_room_for(worker: Worker) -> None:
    data = png("blue", size=256)
    stored = worker.server.upload("sdoe-large.png", data, "image/png")
    item = {"filename": stored, "type": "input"}
    assert worker.server.view(item, len(data)) == data
    with pytest.raises(FileTooLarge):
        worker.server.view(item, len(data) - 1)
    (worker.root / "input" / stored).unlink()


def kinds(result: Result) -> list[tuple[Any, ...]]:
    """Return number, node, kind and format of each file."""
    found = []
    for one in result.artifacts:
        sniffed = sniff(one.data())
        assert sniffed is not None
        found.append((one.number, one.receipt["node"], one.receipt["media"], sniffed.format))
    return found


@pytest.mark.parametrize(
    ("flow", "kind"),
    [
        (
            {
                "9": node(
                    "SaveAnimatedWEBP",
                    images=["8", 0],
                    filename_prefix="a",
                    fps=6,
                    lossless=True,
                    quality=80,
                    method="default",
                )
            },
            ("image", "WEBP"),
        ),
        (
            {"9": node("SaveAnimatedPNG", images=["8", 0], filename_prefix="a", fps=6, compress_level=4)},
            ("image", "PNG"),
        ),
        (
            {"9": node("SaveWEBM", images=["8", 0], filename_prefix="v/a", codec="vp9", fps=8, crf=40)},
            ("video", "WEBM"),
        ),
        (
            VIDEO
            | {"9": node("SaveVideo", video=["20", 0], filename_prefix="v", format="auto", codec="auto")},
            ("video", "MP4"),
        ),
        (SOUND | {"9": node("SaveAudio", audio=["20", 0], filename_prefix="audio/a")}, ("audio", "FLAC")),
        (
            SOUND | {"9": node("SaveAudioMP3", audio=["20", 0], filename_prefix="a", quality="V0")},
            ("audio", "MP3"),
        ),
        (
            SOUND | {"9": node("SaveAudioOpus", audio=["20", 0], filename_prefix="a", quality="128k")},
            ("audio", "OPUS"),
        ),
        (SOUND | {"9": node("PreviewAudio", audio=["20", 0])}, ("audio", "FLAC")),
    ],
    ids=lambda one: one.get("9", {}).get("class_type") if isinstance(one, dict) else None,
)
def test_what_is_no_still_image_is_stored_by_its_content(
    worker: Worker, flow: dict[str, Any], kind: tuple[str, str]
) -> None:
    result = worker.run(text_to_image() | flow)
    assert kinds(result) == [(1, "9", *kind)]
    assert worker.left_behind() == []


def test_files_of_all_kinds_are_numbered_in_the_order_that_was_asked_for(worker: Worker) -> None:
    flow = (
        text_to_image()
        | SOUND
        | {
            "21": node("SaveAudio", audio=["20", 0], filename_prefix="a"),
            "22": node("SaveWEBM", images=["8", 0], filename_prefix="v", codec="vp9", fps=8, crf=40),
            "23": node("PreviewImage", images=["8", 0]),
            "24": node("PreviewAny", source=["25", 0]),
            "25": node("PrimitiveString", value="a caption"),
        }
    )
    result = worker.run(flow, outputs=["22", "9", "24", "21", "23"])
    assert [one[:3] for one in kinds(result)] == [
        (1, "22", "video"),
        (2, "9", "image"),
        (3, "21", "audio"),
        (4, "23", "image"),
    ]
    assert result.document["texts"] == [{"node": "24", "key": "text", "value": ["a caption"]}]
    assert [one[1] for one in kinds(worker.run(flow))] == ["9", "21", "22"], "without the temporary file"


def test_a_task_may_make_nothing_but_a_text(worker: Worker) -> None:
    flow = {"1": node("PrimitiveString", value="a caption"), "2": node("PreviewAny", source=["1", 0])}
    result = worker.run(flow)
    assert result.artifacts == []
    assert result.document["texts"] == [{"node": "2", "key": "text", "value": ["a caption"]}]


def load_video(value: str) -> dict[str, Any]:
    return {
        "1": node("LoadVideo", file=value),
        "2": node("GetVideoComponents", video=["1", 0]),
        "3": node("SaveImage", images=["2", 0], filename_prefix="frame"),
        "4": node("SaveAudio", audio=["2", 1], filename_prefix="sound"),
    }


def load_audio(value: str) -> dict[str, Any]:
    return {"1": node("LoadAudio", audio=value), "2": node("SaveAudio", audio=["1", 0], filename_prefix="a")}


@pytest.mark.parametrize("data", [media.mp4(64, 64, 3), media.webm(64, 64, 3)], ids=["mp4", "webm"])
def test_a_video_arrives_by_link_name_and_base64_alike(tmp_path: Path, data: bytes) -> None:
    with run_worker(tmp_path, data=data, metadata=False) as worker:
        inline = base64.b64encode(data).decode()
        made = [
            worker.run(load_video(LINK)),
            worker.run(load_video("in.mp4"), files={"in.mp4": LINK}),
            worker.run(load_video(inline)),
        ]
        found = [[one.data() for one in result.artifacts] for result in made]
        assert found == [found[0]] * 3
        assert [one[2] for one in kinds(made[0])] == ["image", "image", "audio"]
        assert worker.left_behind() == []


@pytest.mark.parametrize(
    "data",
    [media.flac(b"x"), media.mp3(b"x"), media.opus(b"x"), media.wav(b"x"), media.mp4(8, 8, 1)],
    ids=["flac", "mp3", "opus", "wav", "the sound of a video"],
)
def test_a_sound_arrives_by_base64(worker: Worker, data: bytes) -> None:
    result = worker.run(load_audio(base64.b64encode(data).decode()))
    assert kinds(result) == [(1, "2", "audio", "FLAC")]


@pytest.mark.parametrize(
    ("flow", "data", "code", "text"),
    [
        (load_video(LINK), png(), ErrorCode.INPUT_WRONG_TYPE, "takes a video"),
        (load_video(LINK), media.flac(b"x"), ErrorCode.INPUT_WRONG_TYPE, "takes a video"),
        (load_audio(LINK), png(), ErrorCode.INPUT_WRONG_TYPE, "takes a sound"),
        (
            {"1": node("LoadImage", image=LINK), "2": node("PreviewImage", images=["1", 0])},
            media.mp4(8, 8, 1),
            ErrorCode.INPUT_NOT_AN_IMAGE,
            "takes an image",
        ),
        (load_video(LINK), media.mp4(8192, 8192, 5), ErrorCode.INPUT_TOO_LARGE, "pixels"),
        (load_video(LINK), media.mp4(64, 64, 5)[:-20], ErrorCode.INPUT_WRONG_TYPE, "not complete"),
    ],
    ids=["an image", "a sound", "an image for a sound", "a video for an image", "too large", "cut"],
)
def test_a_file_of_another_kind_or_size_is_refused_before_comfyui_gets_it(
    tmp_path: Path, flow: dict[str, Any], data: bytes, code: ErrorCode, text: str
) -> None:
    with run_worker(tmp_path, data=data) as worker:
        with pytest.raises(PermanentError, match=text) as raised:
            worker.prepare(flow)
        assert raised.value.code is code
        assert worker.left_behind() == []
