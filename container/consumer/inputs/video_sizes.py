"""Read the size and the number of frames of a video from the structure of its file, without decoding it.

A few kilobytes can be decoded to any number of frames, and nodes hold all of them in memory at once. What
cannot be read has no size, and is refused. Every walk has a bounded number of steps.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_STEPS: Final = 200_000
"""Boxes or elements of one file; a Matroska file has one for each frame of a picture or a sound."""


@dataclass(frozen=True, slots=True)
class VideoSize:
    """The size of the largest video track, and the frames of all of them."""

    width: int
    height: int
    frames: int

    @property
    def pixels(self) -> int:
        """Return the pixels of all frames together."""
        return self.width * self.height * self.frames


@dataclass(slots=True)
class _Track:
    is_video: bool = False
    width: int = 0
    height: int = 0
    frames: int = 0


def video_size(data: bytes, format_: str) -> VideoSize | None:
    """Return the size of an MP4, MOV, WebM or Matroska file; None if its structure does not tell it."""
    try:
        tracks = _mp4_tracks(data) if format_ in ("MP4", "MOV") else _matroska_tracks(data)
    except (struct.error, IndexError, ValueError):
        return None
    videos = [track for track in tracks if track.is_video]
    if not videos or any(not (track.width and track.height and track.frames) for track in videos):
        return None
    largest = max(videos, key=lambda track: track.width * track.height)
    return VideoSize(largest.width, largest.height, sum(track.frames for track in videos))


def _mp4_tracks(data: bytes) -> list[_Track]:
    tracks: list[_Track] = []
    for step, (kind, start, end) in enumerate(_boxes(data)):
        if kind == b"moof" or step > MAX_STEPS:  # fragments have samples that `moov` does not count
            raise ValueError("fragments, or too many boxes")
        if kind == b"trak":
            tracks.append(_Track())
        elif kind == b"tkhd" and tracks:
            width, height = struct.unpack(">II", data[end - 8 : end])
            tracks[-1].width, tracks[-1].height = width >> 16, height >> 16
        elif kind == b"hdlr" and tracks:
            tracks[-1].is_video |= data[start + 8 : start + 12] == b"vide"
        elif kind == b"stsz" and tracks:
            (tracks[-1].frames,) = struct.unpack(">I", data[start + 8 : start + 12])
    return tracks


_PARENTS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield all boxes as type, start and end of their content; go into those that hold others."""
    waiting = [(0, len(data))]
    while waiting:
        at, limit = waiting.pop()
        while at + 8 <= limit:
            size, kind = struct.unpack(">I4s", data[at : at + 8])
            head = 8
            if size == 1:
                (size,) = struct.unpack(">Q", data[at + 8 : at + 16])
                head = 16
            end = limit if size == 0 else at + size
            if end > limit or end < at + head:
                raise ValueError("a box leaves its parent")
            yield kind, at + head, end
            if kind in _PARENTS:
                waiting.append((end, limit))
                at, limit = at + head, end
            else:
                at = end


SEGMENT, CLUSTER, BLOCKS, SIMPLE, BLOCK = 0x18538067, 0x1F43B675, 0xA0, 0xA3, 0xA1
TRACKS, ENTRY, NUMBER, TYPE, VIDEO, WIDTH, HEIGHT = 0x1654AE6B, 0xAE, 0xD7, 0x83, 0xE0, 0xB0, 0xBA
_MASTERS: Final = frozenset({SEGMENT, CLUSTER, BLOCKS, TRACKS, ENTRY, VIDEO})
VIDEO_TYPE: Final = 1
LACED: Final = 0x06
"""Flags of a block that holds several frames, which only sounds have."""


def _matroska_tracks(data: bytes) -> list[_Track]:
    tracks: dict[int, _Track] = {}
    current = _Track()
    for step, (kind, start, end) in enumerate(_elements(data)):
        if step > MAX_STEPS:
            raise ValueError("too many elements")
        if kind == ENTRY:
            current = _Track()
        elif kind == NUMBER:
            tracks[int.from_bytes(data[start:end], "big")] = current
        elif kind in (SIMPLE, BLOCK):
            _count_block(tracks, data, start)
        else:
            _describe(current, kind, int.from_bytes(data[start : min(end, start + 8)], "big"))
    return list(tracks.values())


def _describe(track: _Track, kind: int, value: int) -> None:
    """Take note of what an element says about a track."""
    if kind == TYPE:
        track.is_video = value == VIDEO_TYPE
    elif kind == WIDTH:
        track.width = value
    elif kind == HEIGHT:
        track.height = value


def _count_block(tracks: dict[int, _Track], data: bytes, start: int) -> None:
    number, after = _number(data, start, keep_marker=False)
    if number in tracks:
        tracks[number].frames += 1
        if tracks[number].is_video and data[after + 2] & LACED:
            raise ValueError("several frames in one block")


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield all elements as id, start and end of their content; those that hold others come before these."""
    at = 0
    while at < len(data):
        kind, start = _number(data, at, keep_marker=True)
        size, start_of_content = _number(data, start, keep_marker=False)
        unknown = size == (1 << (7 * (start_of_content - start))) - 1
        end = len(data) if unknown else start_of_content + size
        if end > len(data):
            raise ValueError("the file breaks off")
        yield kind, start_of_content, end
        at = start_of_content if kind in _MASTERS else end


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    first = data[at]
    length = 9 - first.bit_length()
    if length > 8:
        raise ValueError("no number")
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep_marker else value & ((1 << (7 * length)) - 1), at + length
