"""Responses of an untrusted server as raw bytes, all of which end at some time."""

import gzip
import io
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat

from PIL import Image

CANARY = b"c4n4ry"
"""In every header and body of these responses, and in no error."""

LIMIT = 64 * 1024
"""What the tests allow; the endless bodies are sixteen times as long."""

PACE_SECONDS = 0.05
DRIPS = 30

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


def sends(data: bytes) -> Responder:
    """Return a responder that sends these bytes and closes the connection."""
    return lambda connection: connection.sendall(data)


def streams(head: bytes, parts: Iterator[bytes]) -> Responder:
    """Return a responder that sends head and parts while the client reads."""

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        for part in parts_again():
            connection.sendall(part)

    once = list(parts)

    def parts_again() -> Iterator[bytes]:
        return iter(once)

    return respond


def drips(head: bytes, drops: list[bytes], tail: bytes) -> Responder:
    """Return a responder that sends a valid response in small pieces, until the client disconnects."""

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.settimeout(PACE_SECONDS)
        for drop in drops:
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                connection.sendall(drop)
        connection.settimeout(None)
        connection.sendall(tail)

    return respond


def drips_body() -> Responder:
    """Send the first bytes of an image slowly."""
    image = picture()
    drops = [bytes([byte]) for byte in image[:DRIPS]]
    return drips(answer(b"", f"Content-Length: {len(image)}", length=False), drops, image[DRIPS:])


def drips_headers() -> Responder:
    """Send headers slowly, then the rest."""
    response = answer(picture())
    drops = [f"X-{number}: {CANARY.decode()}\r\n".encode() for number in range(DRIPS)]
    return drips(response[: response.index(b"\r\n") + 2], drops, response[response.index(b"\r\n") + 2 :])


def drips_chunks() -> Responder:
    """Send chunks of one byte slowly, then the rest."""
    image = picture()
    drops = [chunked(bytes([byte])) for byte in image[:DRIPS]]
    head = answer(b"", "Transfer-Encoding: chunked", length=False)
    return drips(head, drops, chunked(image[DRIPS:]) + b"0\r\n\r\n")


def silent() -> Responder:
    """Send nothing for a while, then a response."""
    return drips(b"", [b""] * DRIPS, answer(picture()))


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
    """Return a GIF with a large frame that only readers see which take the small one for the block of an
    extension.
    """
    frame = b",\0\0\0\0\x08\0\x08\0\0" + b"\0" * 36
    return b"GIF89a\x08\0\x08\0\0\0\0" + extension + frame + b",\0\0\0\0\xff\xff\x08\0\0\x02"


def avif_track(side: int) -> bytes:
    """Return an AVIF of 64 × 64 pixels with a track of another size."""
    header = b"\0" * 76 + struct.pack(">II", side << 16, side << 16)
    boxes = b"tkhd", b"trak", b"moov"
    for name in boxes:
        header = struct.pack(">I", 8 + len(header)) + name + header
    return picture("AVIF", (64, 64)) + header


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
    **{name: sends(answer(body)) for name, body in BODIES.items()},
    **{
        f"status-{status}": sends(answer(picture(), status=f"{status} c4n4ry"))
        for status in (206, 401, 403, 404, 410, 500, 503)
    },
    "status-204": sends(answer(b"", status="204 c4n4ry", length=False)),
    "long-as-announced": sends(answer(picture() + b"\0" * LIMIT)),
    "long-never-sent": sends(answer(picture(), f"Content-Length: {LIMIT + 1}", length=False)),
    "long-chunked": streams(
        answer(b"", "Transfer-Encoding: chunked", length=False) + chunked(picture()),
        repeat(chunked(b"\0" * LIMIT), 16),
    ),
    "long-until-close": streams(answer(picture(), length=False), repeat(b"\0" * LIMIT, 16)),
    "gzip-bomb": sends(answer(gzip.compress(picture() + b"\0" * 10_000_000), "Content-Encoding: gzip")),
    "deflate": sends(answer(zlib.compress(picture()), "Content-Encoding: deflate")),
    "gzip-twice": sends(answer(gzip.compress(gzip.compress(picture())), "Content-Encoding: gzip, gzip")),
    "html-base64-by-name": sends(answer(b"<!DOCTYPE html><html>c4n4ry</html>", "Content-Encoding: base64")),
    "html-two-codings": sends(answer(b"<!DOCTYPE html><html>c4n4ry</html>", "Content-Encoding: utf-8, gzip")),
    "ok-brotli-by-name": sends(answer(picture(), "Content-Encoding: br")),
    "ok-base64-by-name": sends(answer(picture(), "Content-Encoding: base64")),
    "ok-aws-chunked-by-name": sends(answer(picture(), "Content-Encoding: aws-chunked")),
    "transfer-gzip": sends(
        answer(b"", "Transfer-Encoding: gzip, chunked", length=False)
        + chunked(gzip.compress(picture()))
        + b"0\r\n\r\n"
    ),
    "shorter-than-announced": sends(answer(picture(), "Content-Length: 60000", length=False)),
    "chunk-cut": sends(answer(b"", "Transfer-Encoding: chunked", length=False) + b"ffff\r\n" + picture()),
    "two-lengths": sends(answer(picture(), "Content-Length: 5")),
    "length-no-number": sends(answer(picture(), "Content-Length: c4n4ry", length=False)),
    "length-negative": sends(answer(picture(), "Content-Length: -1", length=False)),
    "not-http": sends(b"SSH-2.0-c4n4ry\r\n"),
    "closes": sends(b""),
    "vast-headers": sends(answer(picture(), *(f"X-{number}: " + "c4n4ry" * 100 for number in range(2000)))),
    "many-hints": drips(
        b"", [b"HTTP/1.1 103 c4n4ry\r\nX-Secret: c4n4ry\r\n\r\n"] * 3, b"HTTP/1.1 103 c4n4ry\r\n\r\n"
    ),
    "upgrade": sends(b"HTTP/1.1 101 c4n4ry\r\nUpgrade: c4n4ry\r\nConnection: upgrade\r\n\r\n" + picture()),
    "redirect-without-location": sends(answer(b"c4n4ry", status="302 c4n4ry")),
    "drips-body": drips_body(),
    "drips-headers": drips_headers(),
    "drips-chunks": drips_chunks(),
    "silent": silent(),
    "ok-chunked": sends(
        answer(b"", "Transfer-Encoding: chunked", length=False)
        + chunked(picture()[:20], picture()[20:])
        + b"0\r\n\r\n"
    ),
    "ok-until-close": sends(answer(picture(), length=False)),
    "ok-octet-stream": sends(answer(picture(), content_type="application/octet-stream")),
    "ok-after-hints": sends(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + answer(picture())),
}
