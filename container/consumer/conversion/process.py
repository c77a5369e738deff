"""Run the process that decodes and encodes images."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

log = logging.getLogger(__name__)

CONVERSION_SECONDS: Final = 120.0
"""The largest image (8192 × 8192) as WebP takes 20 s on an idle processor."""

PROCESS_BYTES: Final = 128 * 1024 * 1024
BYTES_PER_PIXEL: Final = 32
"""A WebP with transparency takes 25, anything else less (measured)."""

ENCODED_BYTES_PER_PIXEL: Final = 4
"""A PNG with transparency that cannot be compressed."""

OTHER_BYTES: Final = 1024 * 1024
"""What a response may have beside the pixels and the texts of its image, and the limit of its JSON text."""

MAX_TRIES: Final = 2
"""A process may have been ended for a reason that has nothing to do with the image."""

_MODULE: Final = "container.consumer.conversion.encoder"
_ROOT: Final = Path(__file__).parents[3]
_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "MALLOC_TRIM_THRESHOLD_", "PYTHONDONTWRITEBYTECODE")
"""The environment variables that the process gets: it decodes untrusted files, so it gets no credentials."""


class NotConverted(Exception):
    """An image was not converted; the text says why."""


class EncoderProcess:
    """Converts one image at a time in a process with limited memory, which is started when it is needed.

    It is separate so that neither an image that expands to gigabytes nor a fault of an image library ends
    the consumer, and so that encoding does not hold the interpreter's lock while a job is sent.
    """

    def __init__(
        self,
        max_pixels: int,
        *,
        memory_bytes: int = 0,
        seconds: float = CONVERSION_SECONDS,
        module: str = _MODULE,
    ) -> None:
        memory_bytes = memory_bytes or PROCESS_BYTES + BYTES_PER_PIXEL * max_pixels
        self._command = [sys.executable, "-m", module, str(memory_bytes), str(max_pixels)]
        self._max_encoded_bytes = ENCODED_BYTES_PER_PIXEL * max_pixels + OTHER_BYTES
        self._seconds = seconds
        self._requests = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Return the id of the running process, if there is one."""
        return self._process.pid if self._process is not None else None

    def convert(self, image: bytes, options: Mapping[str, Any]) -> tuple[bytes, list[str]]:
        """Return the converted image, and what of it could not be kept; raise NotConverted."""
        with self._lock:
            for _ in range(MAX_TRIES):
                try:
                    answer, encoded = self._ask(image, options)
                except (OSError, EOFError, ValueError, OverflowError, MemoryError) as error:
                    log.warning(
                        "the process that converts images gave no usable answer",
                        extra={"reason": f"{type(error).__name__}: {error}"},
                    )
                    self._stop()
                except BaseException:
                    self._stop()  # or the next image would get what is left of this answer
                    raise
                else:
                    break
            else:
                raise NotConverted(
                    "the process that converts images ended, took too long or gave no usable answer"
                )
        if "error" in answer:
            raise NotConverted(answer["error"])
        return encoded, answer["notes"]

    def _ask(self, image: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send a request and return the response.

        Raise OSError or EOFError if the process ends, and ValueError if its response cannot be one to this
        request.
        """
        self._requests += 1
        process = self._running()
        source, target = cast("BinaryIO", process.stdout), cast("BinaryIO", process.stdin)
        # Ends a process that hangs, which ends the reads and writes below.
        watchdog = threading.Timer(self._seconds, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            for block in (json.dumps({**options, "request": self._requests}).encode(), image):
                target.write(len(block).to_bytes(8, "big"))
                target.write(block)
            target.flush()
            answer = _answer(_read_block(source, OTHER_BYTES), self._requests)
            # The texts that are kept come from the image.
            return answer, _read_block(source, self._max_encoded_bytes + len(image))
        finally:
            watchdog.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
            start_new_session=True,  # Ctrl-C in a terminal is for the consumer, which still needs this one
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not sent cannot be sent any more
                    stream.close()


def _answer(text: bytes, request: int) -> dict[str, Any]:
    """Return what the process says about a request; raise ValueError if it says it about another one."""
    answer: dict[str, Any] = json.loads(text)
    is_usable = isinstance(answer, dict) and ("notes" in answer or "error" in answer)
    if not is_usable or answer.get("request") != request:
        raise ValueError("its answer is not one to this request")
    return answer


def _read_block(stream: BinaryIO, max_bytes: int) -> bytes:
    size = int.from_bytes(_read(stream, 8), "big")
    if size > max_bytes:
        raise ValueError(f"its answer has {size} bytes, of at most {max_bytes}")
    return _read(stream, size)


def _read(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError("its output ended")
    return found
