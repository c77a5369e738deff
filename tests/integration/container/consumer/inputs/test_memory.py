"""The memory that the largest allowed task needs while it is prepared."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from domain.limits import DEFAULT_LIMITS
from tests.support.http_answers import answer, chunk, ihdr

MIB = 1024 * 1024
LINK_BYTES = 32 * MIB

PREPARE = """
import json, re, sys
from container.consumer.engines.sdwebui.inline_images import replace_links
from container.consumer.engines.sdwebui.request import request_body
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.task_inputs import TaskInputs
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.inputs import input_references
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
before = peak()
content = {"init_images": sys.argv[1:]}
links = Links(s3_client=None, buckets=frozenset(), allow_private=True)
inputs = TaskInputs(links).fetch(input_references(content))
fetched = peak()
body = request_body(TaskType.IMAGE_TO_IMAGE, replace_links(content, inputs))
print(json.dumps([fetched - before, peak() - before, len(body) // 1024 ** 2]))
"""


def test_the_largest_allowed_task_needs_at_most_six_times_the_memory_of_its_inputs() -> None:
    """They are in memory as bytes, as base64, and twice as a part of the request: as text and as bytes."""
    head = b"\x89PNG\r\n\x1a\n" + ihdr(8, 8)
    image = head + chunk(b"IDAT", b"\0" * (LINK_BYTES - len(head) - 24)) + chunk(b"IEND", b"")
    assert len(image) == LINK_BYTES
    count = DEFAULT_LIMITS.input_bytes // LINK_BYTES
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, answer(image)), daemon=True).start()
        links = [f"http://127.0.0.1:{server.getsockname()[1]}/{number}" for number in range(count)]
        completed = subprocess.run(
            [sys.executable, "-c", PREPARE, *links],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[5],
        )
    fetched, prepared, body = json.loads(completed.stdout)
    limit = DEFAULT_LIMITS.input_bytes // MIB
    assert limit <= fetched < 3 * limit
    assert prepared < 6 * limit
    assert body == limit * 4 // 3


def serve(server: socket.socket, response: bytes) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=respond, args=(connection, response), daemon=True).start()


def respond(connection: socket.socket, response: bytes) -> None:
    with connection, suppress(OSError):
        connection.recv(65536)
        connection.sendall(response)
        connection.shutdown(socket.SHUT_WR)
