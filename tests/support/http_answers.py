"""Responses of an untrusted server as raw bytes: wrong, hostile, endless, slow and good ones.

Even the endless ones end at some time, so that a client that accepts them fails its test and does not hang.
"""

import gzip
import io
import socket
import struct
import zlib
from collections.abc import Callable, Iterable
from itertools import repeat

from PIL import Image

CANARY = b"c4n4ry"
"""A text in the headers and bodies of these responses, which no error may contain: it may be a secret."""

MAX_BYTES = 64 * 1024
"""The size of a file that the tests allow; the endless bodies are sixteen times as long."""

DRIP_SECONDS = 0.05
DRIP_COUNT = 30
"""A slow response takes DRIP_COUNT * DRIP_SECONDS, longer than a test allows a download."""

Responder = Callable[[socket.socket], None]


def picture(format_: str = "PNG", size: tuple[int, int] = (8, 9)) -> bytes:
    """Return a small image."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(buffer, format_)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG with one bit per pixel and this size in its header."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def answer(
    body: bytes, *headers: str, status: str = "200 OK", content_type: str = "image/png", length: bool = True
) -> bytes:
    """Return a complete HTTP response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"X-Secret: {CANARY.decode()}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*parts: bytes) -> bytes:
    """Return parts in the chunked transfer coding, without the last chunk."""
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)


def sending(data: bytes) -> Responder:
    """Return a responder that sends these bytes and closes the connection."""
    return lambda connection: connection.sendall(data)


def streaming(head: bytes, parts: Iterable[bytes]) -> Responder:
    """Return a responder that sends a head, and then parts for as long as the client reads."""
    parts = list(parts)

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        for part in parts:
            connection.sendall(part)

    return respond


def dripping(head: bytes, drops: list[bytes], tail: bytes) -> Responder:
    """Return a responder that sends a head, then one of `drops` every DRIP_SECONDS, then the tail.

    It stops when the client disconnects.
    """

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.settimeout(DRIP_SECONDS)
        for drop in drops:
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                connection.sendall(drop)
        connection.settimeout(None)
        connection.sendall(tail)

    return respond


def dripping_body() -> Responder:
    """Return a responder that sends the first bytes of an image slowly."""
    image = picture()
    drops = [bytes([byte]) for byte in image[:DRIP_COUNT]]
    return dripping(answer(b"", f"Content-Length: {len(image)}", length=False), drops, image[DRIP_COUNT:])


def dripping_headers() -> Responder:
    """Return a responder that sends headers slowly, then an image."""
    response = answer(picture())
    drops = [f"X-{number}: {CANARY.decode()}\r\n".encode() for number in range(DRIP_COUNT)]
    return dripping(response[: response.index(b"\r\n") + 2], drops, response[response.index(b"\r\n") + 2 :])


def dripping_chunks() -> Responder:
    """Return a responder that sends the first bytes of an image slowly, as chunks of one byte."""
    image = picture()
    drops = [chunked(bytes([byte])) for byte in image[:DRIP_COUNT]]
    head = answer(b"", "Transfer-Encoding: chunked", length=False)
    return dripping(head, drops, chunked(image[DRIP_COUNT:]) + b"0\r\n\r\n")


def silent() -> Responder:
    """Return a responder that sends nothing for a while, then an image."""
    return dripping(b"", [b""] * DRIP_COUNT, answer(picture()))


def avif(width: int, height: int) -> bytes:
    """Return an AVIF with this size in its header."""
    data = bytearray(picture("AVIF", (64, 64)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def jpeg(*sizes: tuple[int, int]) -> bytes:
    """Return the beginning of a JPEG with a frame header for each size."""
    frames = (
        b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
        for width, height in sizes
    )
    return b"\xff\xd8" + b"".join(frames) + b"\xff\xda" + b"\0" * 16


def ihdr(width: int, height: int) -> bytes:
    """Return a PNG's header chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))


def hidden_frame(extension: bytes) -> bytes:
    """Return a GIF of 8 x 8 pixels with a hidden frame of 65,535 x 65,535.

    The small frame stands where a wrong reader sees blocks of the extension; that reader finds the large one.
    """
    frame = b",\0\0\0\0\x08\0\x08\0\0" + b"\0" * 36
    return b"GIF89a\x08\0\x08\0\0\0\0" + extension + frame + b",\0\0\0\0\xff\xff\x08\0\0\x02"


def avif_track(side: int) -> bytes:
    """Return an AVIF of 64 × 64 pixels with a track of another size."""
    header = b"\0" * 76 + struct.pack(">II", side << 16, side << 16)  # 16.16 fixed point
    boxes = b"tkhd", b"trak", b"moov"
    for name in boxes:
        header = struct.pack(">I", 8 + len(header)) + name + header
    return picture("AVIF", (64, 64)) + header


# The names below are used by the cases of the cases in tests/security/links.yaml. `c4n4ry` is CANARY.
BODIES = {
    "svg-as-png": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><text>c4n4ry</text></svg>',
    "html-as-png": b"<!doctype html><title>c4n4ry</title>",
    "json-as-png": b'{"AccessKeyId": "c4n4ry", "SecretAccessKey": "c4n4ry"}',
    "meta-refresh": b'<meta http-equiv="refresh" content="0; url=http://127.0.0.1/c4n4ry">',
    "magic-then-html": b"\x89PNG\r\n\x1a\n<!doctype html><title>c4n4ry</title>",
    "gif-and-script": b"GIF89a/*" + b"c4n4ry" * 8 + b"*/=1;",
    "pdf": b"%PDF-1.7 c4n4ry",
    "zip": b"PK\x03\x04 c4n4ry",
    "tiff": picture("TIFF"),
    "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + b"\0" * 64,
    "empty": b"",
    "png-cut-in-header": picture()[:10],
    "png-without-pixels": png(0, 100),
    "png-vast": png(100_000, 100_000),
    "png-two-headers": b"\x89PNG\r\n\x1a\n" + ihdr(8, 8) + png(8000, 8000)[8:],
    "png-late-header": b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"c4n4ry") + png(8, 8)[8:],
    "png-wide": png(65_536, 1),
    "jpeg-two-shapes": jpeg((8000, 8), (8, 8000)),
    "jpeg-hidden-frame": jpeg((8, 8))[:15] + b"\xff\xc8\0\x0f" + jpeg((60_000, 60_000))[2:],
    "jpeg-after-its-end": b"\xff\xd8\xff\xd9" + jpeg((8, 8))[2:],
    "gif-empty-block": hidden_frame(b"!\xf9\0"),
    "gif-loops": hidden_frame(b"!\xff\x0bNETSCAPE2.0\0"),
    "avif-vast-track": avif_track(60_000),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"c4n4ry",
    "png-bomb": png(5000, 5000, zlib.compress(b"\0" * 626 * 5000)),
    "jpeg-vast": jpeg((65_000, 65_000)),
    "jpeg-two-sizes": jpeg((65_000, 65_000), (8, 8)),
    "webp-vast": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
    "gif-vast": b"GIF89a\xff\xff\xff\xff\0\0\0\x2c\0\0\0\0\x08\0\x08\0\0",
    "gif-vast-frame": b"GIF89a\x08\0\x08\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0",
    "bmp-vast": b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 100_000, -100_000) + b"\0" * 40,
    "avif-vast": avif(100_000, 100_000),
}

RESPONDERS: dict[str, Responder] = {
    **{name: sending(answer(body)) for name, body in BODIES.items()},
    **{
        f"status-{status}": sending(answer(picture(), status=f"{status} c4n4ry"))
        for status in (206, 401, 403, 404, 410, 500, 503)
    },
    "status-204": sending(answer(b"", status="204 c4n4ry", length=False)),
    "long-as-announced": sending(answer(picture() + b"\0" * MAX_BYTES)),
    "long-never-sent": sending(answer(picture(), f"Content-Length: {MAX_BYTES + 1}", length=False)),
    "long-chunked": streaming(
        answer(b"", "Transfer-Encoding: chunked", length=False) + chunked(picture()),
        repeat(chunked(b"\0" * MAX_BYTES), 16),
    ),
    "long-until-close": streaming(answer(picture(), length=False), repeat(b"\0" * MAX_BYTES, 16)),
    "gzip-bomb": sending(answer(gzip.compress(picture() + b"\0" * 10_000_000), "Content-Encoding: gzip")),
    "deflate": sending(answer(zlib.compress(picture()), "Content-Encoding: deflate")),
    "gzip-twice": sending(answer(gzip.compress(gzip.compress(picture())), "Content-Encoding: gzip, gzip")),
    "html-base64-by-name": sending(answer(b"<!DOCTYPE html><html>c4n4ry</html>", "Content-Encoding: base64")),
    "html-two-codings": sending(
        answer(b"<!DOCTYPE html><html>c4n4ry</html>", "Content-Encoding: utf-8, gzip")
    ),
    "ok-brotli-by-name": sending(answer(picture(), "Content-Encoding: br")),
    "ok-base64-by-name": sending(answer(picture(), "Content-Encoding: base64")),
    "ok-aws-chunked-by-name": sending(answer(picture(), "Content-Encoding: aws-chunked")),
    "transfer-gzip": sending(
        answer(b"", "Transfer-Encoding: gzip, chunked", length=False)
        + chunked(gzip.compress(picture()))
        + b"0\r\n\r\n"
    ),
    "shorter-than-announced": sending(answer(picture(), "Content-Length: 60000", length=False)),
    "chunk-cut": sending(answer(b"", "Transfer-Encoding: chunked", length=False) + b"ffff\r\n" + picture()),
    "two-lengths": sending(answer(picture(), "Content-Length: 5")),
    "length-no-number": sending(answer(picture(), "Content-Length: c4n4ry", length=False)),
    "length-negative": sending(answer(picture(), "Content-Length: -1", length=False)),
    "not-http": sending(b"SSH-2.0-c4n4ry\r\n"),
    "closes": sending(b""),
    "vast-headers": sending(answer(picture(), *(f"X-{number}: " + "c4n4ry" * 100 for number in range(2000)))),
    "many-hints": dripping(
        b"", [b"HTTP/1.1 103 c4n4ry\r\nX-Secret: c4n4ry\r\n\r\n"] * 3, b"HTTP/1.1 103 c4n4ry\r\n\r\n"
    ),
    "upgrade": sending(b"HTTP/1.1 101 c4n4ry\r\nUpgrade: c4n4ry\r\nConnection: upgrade\r\n\r\n" + picture()),
    "redirect-without-location": sending(answer(b"c4n4ry", status="302 c4n4ry")),
    "drips-body": dripping_body(),
    "drips-headers": dripping_headers(),
    "drips-chunks": dripping_chunks(),
    "silent": silent(),
    "ok-chunked": sending(
        answer(b"", "Transfer-Encoding: chunked", length=False)
        + chunked(picture()[:20], picture()[20:])
        + b"0\r\n\r\n"
    ),
    "ok-until-close": sending(answer(picture(), length=False)),
    "ok-octet-stream": sending(answer(picture(), content_type="application/octet-stream")),
    "ok-after-hints": sending(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + answer(picture())),
}
