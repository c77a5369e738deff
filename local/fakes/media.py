"""Small videos and sounds with the structure of real ones, and texts in them instead of contents."""

import struct
from typing import Final

SAMPLES_PER_SECOND: Final = 48_000


def mp4(width: int, height: int, frames: int, text: bytes = b"") -> bytes:
    """Return an MP4 with one video track."""
    track = _box(
        b"trak",
        _box(b"tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16))
        + _box(
            b"mdia",
            _box(b"hdlr", bytes(8) + b"vide" + bytes(13))
            + _box(b"minf", _box(b"stbl", _box(b"stsz", bytes(4) + struct.pack(">II", 1, frames)))),
        ),
    )
    head = _box(b"ftyp", b"isom" + bytes(4) + b"isommp42")
    return head + _box(b"moov", track) + _box(b"mdat", bytes(frames)) + _box(b"free", text)


def webm(width: int, height: int, frames: int, text: bytes = b"") -> bytes:
    """Return a WebM with one video track."""
    head = _element("1a45dfa3", _element("4286", b"\1") + _element("42f7", b"\1") + _element("4282", b"webm"))
    size = _element("b0", struct.pack(">H", width)) + _element("ba", struct.pack(">H", height))
    entry = _element("ae", _element("d7", b"\1") + _element("83", b"\1") + _element("e0", size))
    blocks = b"".join(_element("a3", b"\x81\0\0\x80\0") for _ in range(frames))
    segment = _element("1654ae6b", entry) + _element("1f43b675", _element("e7", b"\0") + blocks)
    return head + _element("18538067", segment + _element("ec", text))


def flac(text: bytes = b"") -> bytes:
    """Return a FLAC with its head and a comment only."""
    info = struct.pack(">HH", 4096, 4096) + bytes(30)
    return (
        b"fLaC" + b"\0" + len(info).to_bytes(3, "big") + info + b"\x84" + len(text).to_bytes(3, "big") + text
    )


def mp3(text: bytes = b"") -> bytes:
    """Return an MP3 with a comment and the head of one frame."""
    size = len(text)
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + sizes + text + b"\xff\xfb\x90\x00" + bytes(413)


def opus(text: bytes = b"") -> bytes:
    """Return the beginning of an Ogg with Opus, and a comment."""
    head = b"OpusHead\1\1\0\0" + struct.pack("<I", SAMPLES_PER_SECOND) + bytes(3)
    page = b"OggS\0\2" + bytes(20) + b"\1" + bytes([len(head)]) + head
    return page + b"OpusTags" + text


def wav(text: bytes = b"") -> bytes:
    """Return a WAV of nothing, with a comment."""
    rate = SAMPLES_PER_SECOND
    content = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    content += b"LIST" + struct.pack("<I", len(text)) + text + b"data" + bytes(4)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _element(kind: str, content: bytes) -> bytes:
    size = len(content)
    head = bytes([0x80 | size]) if size < 0x7F else (size | 1 << 56).to_bytes(8, "big")
    return bytes.fromhex(kind) + head + content
