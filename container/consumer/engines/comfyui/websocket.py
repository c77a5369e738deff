"""A websocket client that only listens.

The consumer carries no websocket library: what it needs of the protocol is a handshake, frames in one
direction, and an answer to pings.
"""

import base64
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

TEXT: Final = 1
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
CONTINUED: Final = 0

SWITCHED: Final = 101
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
EXTENDED: Final = {126: 2, 127: 8}
"""Values of a frame's length field, and in how many further bytes the length follows."""


class WebSocketClosed(Exception):
    """The connection was refused, closed or broken."""


class WebSocket:
    """One connection; `texts` may only be used by one thread."""

    def __init__(self, url: str, path: str, *, connect_seconds: float, silent_seconds: float) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=connect_seconds)
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        try:
            self._connection.request("GET", parts.path.rstrip("/") + path, headers=headers)
            self._socket = self._connection.sock
            # The response is read here: http.client would close the socket of a response without a body.
            self._file = self._socket.makefile("rb")
            status = self._file.readline(1024).split(b" ")
            while self._file.readline(8192) not in (b"\r\n", b"\n", b""):
                pass
        except OSError as error:
            self._connection.close()
            raise WebSocketClosed(str(error)) from None
        if len(status) < 2 or status[1] != str(SWITCHED).encode():
            self._connection.close()
            raise WebSocketClosed("the server does not switch to websockets")
        self._socket.settimeout(silent_seconds)

    def texts(self) -> Iterator[str]:
        """Yield the text messages; raise WebSocketClosed at the end, or after a long silence."""
        kind, message = TEXT, b""
        while True:
            final, opcode, data = self._frame()
            if opcode == CLOSE:
                raise WebSocketClosed("the server closed the connection")
            if opcode == PING:
                self._pong(data)
            if opcode >= CLOSE:
                continue
            kind = kind if opcode == CONTINUED else opcode
            message = message + data if opcode == CONTINUED else data
            if len(message) > MAX_MESSAGE_BYTES:
                raise WebSocketClosed("a message is too large")
            if final and kind == TEXT:
                yield message.decode(errors="replace")

    def close(self) -> None:
        """Close the connection; a thread that waits for a message is woken."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length in EXTENDED:
            length = int.from_bytes(self._read(EXTENDED[length]), "big")
        if length > MAX_MESSAGE_BYTES:
            raise WebSocketClosed("a frame is too large")
        return bool(first & 0x80), first & 0x0F, self._read(length)

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise WebSocketClosed(str(error)) from None
        if len(data) < size:
            raise WebSocketClosed("the connection ended")
        return data

    def _pong(self, data: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        try:
            self._socket.sendall(bytes((0x80 | PONG, 0x80 | len(data))) + mask + masked)
        except OSError as error:
            raise WebSocketClosed(str(error)) from None
