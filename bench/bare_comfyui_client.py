"""Send prepared prompts to a ComfyUI one after the other, with the standard library and nothing else to do.

It learns of the end of a job by the websocket or by polling the history. Either way, it reads the history
before it sends the next prompt, because only the history says how a job ended.
"""

import http.client
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from container.consumer.engines.comfyui.websocket import WebSocket

POLL_SECONDS: Final = 0.005
TIMEOUT_SECONDS: Final = 60
WEBSOCKET: Final = "websocket"
POLLING: Final = "polling"


def main(url: str, how: str, file: str) -> None:
    """Run the prompts of a JSON file."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    client = uuid.uuid4().hex
    prompts = json.loads(Path(file).read_text(encoding="utf-8"))
    bodies = [json.dumps({"prompt": prompt, "client_id": client}).encode() for prompt in prompts]
    path = f"/ws?clientId={client}"
    socket = WebSocket(
        url, path, connect_seconds=TIMEOUT_SECONDS, silent_seconds=TIMEOUT_SECONDS
    )  # opened in either case: ComfyUI caches differently without a client
    events = socket.texts()
    for body in bodies:
        job = _call(connection, "POST", "/prompt", body)["prompt_id"]
        if how == WEBSOCKET:
            while not _is_end(next(events), job):
                pass
        while not _call(connection, "GET", f"/history/{job}"):
            time.sleep(POLL_SECONDS)
    socket.close()


def _call(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Any:
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    return json.loads(connection.getresponse().read())


def _is_end(text: str, job: str) -> bool:
    message = json.loads(text)
    data = message["data"]
    return message["type"] == "executing" and data["node"] is None and data.get("prompt_id") == job


if __name__ == "__main__":
    main(*sys.argv[1:])
