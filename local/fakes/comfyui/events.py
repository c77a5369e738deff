"""The websockets of the fake, and which of them gets which message."""

import asyncio
import json
import os
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

CRASH_STATUS: Final = 1  # as recorded when the loop that publishes messages fails


class Events:
    """Sends messages of jobs to the socket with the job's client id, and messages of the server to all.

    As recorded, a second socket with the same id replaces the first one, and when the first one closes, the
    second one gets nothing any more.
    """

    def __init__(self) -> None:
        self._sockets: dict[str, WebSocket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[tuple[str | None, dict[str, Any] | bytes]] = asyncio.Queue()
        self.is_deaf = False
        self.previews: set[str] = set()
        """The clients that can read previews with metadata."""
        self.closed = 0
        """How many sockets have been closed."""

    async def publish(self) -> None:
        """Send queued messages for ever; runs in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        while True:
            client, message = await self._queue.get()
            try:
                encoded = message if isinstance(message, bytes) else json.dumps(message)
                sockets = self._receivers(client)
            except TypeError:
                os._exit(CRASH_STATUS)
            for socket in [] if self.is_deaf else sockets:
                await _send(socket, encoded)

    def send(self, kind: str, data: dict[str, Any], client: str | None = None) -> None:
        """Queue a message for a client, or for all; as recorded, one that is not JSON ends the process."""
        self.send_raw({"type": kind, "data": data}, client)

    def send_raw(self, message: dict[str, Any] | bytes, client: str | None) -> None:
        """Queue a JSON or binary message."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, (client, message))

    async def serve(self, socket: WebSocket, client: str, greeting: list[dict[str, Any]]) -> None:
        """Register a socket, greet it, and wait until it closes."""
        await socket.accept()
        self._sockets[client] = socket
        if not self.is_deaf:
            for message in greeting:
                await socket.send_text(json.dumps(message))
        try:
            while True:
                text = await socket.receive_text()
                if '"supports_preview_metadata": true' in text.replace('":true', '": true'):
                    self.previews.add(client)
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            self._sockets.pop(client, None)
            self.closed += 1
            self.previews.discard(client)

    def _receivers(self, client: str | None) -> list[WebSocket]:
        if client is None:
            return list(self._sockets.values())
        return [self._sockets[client]] if client in self._sockets else []


async def _send(socket: WebSocket, message: str | bytes) -> None:
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except (RuntimeError, WebSocketDisconnect, OSError):
        return  # the client has disconnected
