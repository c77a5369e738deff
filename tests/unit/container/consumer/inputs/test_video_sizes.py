import pytest

from adapters.public_http.allowance import Allowance
from adapters.public_http.errors import InputError
from container.consumer.inputs.fetch import check_file
from container.consumer.inputs.limits import Limits
from container.consumer.inputs.video_sizes import VideoSize, video_size
from domain.errors import ErrorCode
from local.fakes import media

MEDIA = Limits(media_bytes=10_000)
MAKERS = {"MP4": media.mp4, "WEBM": media.webm}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_videos_size_and_frames_are_read_from_its_structure(kind: str) -> None:
    data = MAKERS[kind](320, 200, 7, b"text")
    assert video_size(data, kind) == VideoSize(320, 200, 7)
    found = check_file(data, MEDIA)
    assert (found.kind, found.width, found.height, found.frames) == ("video", 320, 200, 7)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_video_that_breaks_off_or_has_no_frames_has_no_size(kind: str) -> None:
    data = MAKERS[kind](320, 200, 7, b"text")
    for cut in range(len(data)):
        assert video_size(data[:cut], kind) is None or kind == "MP4"
    assert video_size(MAKERS[kind](320, 200, 0), kind) is None
    assert video_size(MAKERS[kind](0, 200, 7), kind) is None


def test_a_fragmented_mp4_is_refused_because_its_head_does_not_count_the_frames() -> None:
    data = media.mp4(320, 200, 7) + b"\0\0\0\x08moof"
    with pytest.raises(InputError, match="without fragments") as raised:
        check_file(data, MEDIA)
    assert raised.value.code is ErrorCode.INPUT_WRONG_TYPE


@pytest.mark.parametrize(
    "data", [media.flac(b"x"), media.mp3(b"x"), media.opus(b"x"), media.wav(b"x")], ids=len
)
def test_a_sound_is_an_input_only_where_the_limits_allow_media(data: bytes) -> None:
    assert check_file(data, MEDIA).kind == "audio"
    with pytest.raises(InputError) as raised:
        check_file(data)
    assert raised.value.code is ErrorCode.INPUT_NOT_AN_IMAGE


def test_media_have_limits_of_their_own() -> None:
    with pytest.raises(InputError, match="8,192 pixels per side"):
        check_file(media.mp4(8193, 8, 1), MEDIA)
    with pytest.raises(InputError, match="10,000 bytes are allowed for a video or a sound"):
        check_file(media.mp4(8, 8, 1, bytes(10_000)), MEDIA)
    allowance = Allowance(max_bytes=1, seconds=1, max_pixels=1, max_video_pixels=600)
    allowance.count_video_pixels(600)
    with pytest.raises(InputError, match="more than 600 pixels"):
        allowance.count_video_pixels(1)
