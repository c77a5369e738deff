"""Listens to ComfyUI's websocket, to notice the end of a job at once and to report its progress.

Nothing depends on it: a websocket can be deaf without being closed, so the history is polled as well.
"""

import json
import logging
import threading
from typing import Any, Final
from urllib.parse import quote

from container.consumer.engines.comfyui.progress import Progress
from container.consumer.engines.comfyui.websocket import WebSocket, WebSocketClosed

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5
SILENT_SECONDS: Final = 1800
"""No message comes while nothing runs; an idle connection is made anew once in a while."""

AGAIN_SECONDS: Final = 0.5


class Events:
    """One websocket, with the client id that prompts carry; `begin` opens it if it is closed."""

    def __init__(self, url: str, client: str) -> None:
        self._url = url
        self._client = client
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._socket: WebSocket | None = None
        self._job = ""
        self._progress: Progress | None = None
        self.began = threading.Event()
        """Set when ComfyUI has begun the current job."""
        self.ended = threading.Event()
        """Set when the current job has ended; its history is there then."""
        self.connected = threading.Event()

    def begin(self, job: str, progress: Progress) -> None:
        """Take note of messages of this job from now on."""
        with self._lock:
            self._job, self._progress = job, progress
            self.began.clear()
            self.ended.clear()
        self.open()

    def open(self) -> None:
        """Start listening if nothing listens."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._listen, name="comfyui-events", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        """Read messages until the server closes the connection; the next job opens another one."""
        try:
            socket = WebSocket(
                self._url,
                f"/ws?clientId={quote(self._client)}",
                connect_seconds=CONNECT_SECONDS,
                silent_seconds=SILENT_SECONDS,
            )
        except WebSocketClosed as closed:
            log.info("no websocket of ComfyUI", extra={"reason": str(closed)})
            return
        self.connected.set()
        try:
            for text in socket.texts():
                self._take(text)
        except WebSocketClosed as closed:
            log.info("ComfyUI's websocket has ended", extra={"reason": str(closed)})
        except Exception:
            log.exception("a message of ComfyUI could not be read")
        finally:
            self.connected.clear()
            self.began.set()
            self.ended.set()  # the server may have ended: look at once
            socket.close()

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
            kind, data = message["type"], message["data"]
        except (ValueError, KeyError, TypeError):
            return
        if not isinstance(data, dict):
            return
        with self._lock:
            if data.get("prompt_id") != self._job or self._progress is None:
                return
            self.began.set()
            progress: Progress = self._progress
            self._apply(kind, data, progress)

    def _apply(self, kind: str, data: dict[str, Any], progress: Progress) -> None:
        if kind == "executing" and data.get("node") is None:  # comes last, when the history is there
            self.ended.set()
        elif kind == "execution_cached":
            progress.cached(map(str, data.get("nodes") or ()))
        elif kind == "progress_state":
            progress.states(data.get("nodes") or {})
