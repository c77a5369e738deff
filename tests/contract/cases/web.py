"""A web server on this machine that stands for all hosts that the cases link to."""

import http.server
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from PIL import Image

CAT, MASK, PHOTO = "cat", "mask", "photo"


@cache
def picture(subject: str = CAT, kind: str = "PNG") -> bytes:
    """Return an image; each has its own colours, so that what is painted from it differs."""
    image = Image.effect_noise((96, 64), {CAT: 40, MASK: 80, PHOTO: 120}[subject]).convert("RGB")
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@cache
def huge_jpeg() -> bytes:
    """Return a small JPEG whose header says 12000 x 9000 pixels."""
    small = bytearray(picture(PHOTO, "JPEG"))
    frame = small.index(b"\xff\xc0")
    small[frame + 5 : frame + 9] = (9000).to_bytes(2, "big") + (12000).to_bytes(2, "big")
    return bytes(small)


class _PageHandler(http.server.BaseHTTPRequestHandler):
    """Answers by a text in the path; all other paths are images with a content type that says nothing."""

    def do_GET(self) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        status, body = 200, picture()
        if "usp=sharing" in self.path:
            headers, body = {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><title>Drive</title></html>"
        elif "content-encoding-base64" in self.path:
            headers["Content-Encoding"], body = "base64", picture(PHOTO, "JPEG")
        elif "12000x9000" in self.path:
            body = huge_jpeg()
        elif " " in self.path:
            status = 400
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def pages() -> Iterator[str]:
    """Serve until the block ends; yields `host:port`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _PageHandler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
