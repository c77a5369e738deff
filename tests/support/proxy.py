"""A reverse proxy in front of the AWS emulator that can delay calls, fail them, and lose their responses."""

import asyncio
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

LIMIT: Final = 2**20
WAIT_SECONDS: Final = 40.0

_S3 = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


@dataclass(frozen=True)
class Call:
    """A call of an AWS API; its name is like `DynamoDB.UpdateItem` or `S3.PutObject`."""

    name: str
    text: str
    """Path and body, which may contain a task's id."""


@dataclass
class Hold:
    """Delays up to `most` matching calls before AWS executes them, or with `after`, before the response."""

    matches: Callable[[Call], bool]
    after: bool
    most: int
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait until a call is delayed."""
        assert self.reached.wait(WAIT_SECONDS), "no call was delayed"

    def release(self) -> None:
        """Let the delayed calls continue."""
        self.released.set()


class Proxy:
    """Forwards calls to `upstream`; the fraction `share` of them fails, as drawn with `seed`."""

    def __init__(self, upstream: str, *, seed: int = 0) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._random = random.Random(seed)
        self._holds: list[Hold] = []
        self._refused: list[Callable[[Call], bool]] = []
        self._rewritten: list[tuple[Callable[[Call], bool], bytes, bytes]] = []
        self._lock = threading.Lock()
        self.share = 0.0
        self.port = 0
        self.passed = 0
        self.struck: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Return the address to use as AWS's endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def hold(self, name: str, containing: str = "", *, after: bool = False, most: int = 1) -> Hold:
        """Delay the next call with a name whose path or body contains a text."""
        made = Hold(lambda call: call.name == name and containing in call.text, after, most)
        with self._lock:
            self._holds.append(made)
        return made

    @contextmanager
    def refusing(self, name: str, containing: str = "") -> Iterator[None]:
        """Close the connection of every call with a name and a text, until the block ends."""

        def matches(call: Call) -> bool:
            return call.name == name and containing in call.text

        self._refused.append(matches)
        try:
            yield
        finally:
            self._refused.remove(matches)

    @contextmanager
    def rewriting(self, name: str, containing: str, old: bytes, new: bytes) -> Iterator[None]:
        """Change the body of calls with a name and a text, until the block ends."""
        assert len(old) == len(new), "the length in the headers must remain right"
        change = (lambda call: call.name == name and containing in call.text, old, new)
        self._rewritten.append(change)
        try:
            yield
        finally:
            self._rewritten.remove(change)

    def clear(self) -> None:
        """Forward all calls from now on."""
        self.share = 0.0
        with self._lock:
            holds, self._holds = self._holds, []
        for each in holds:
            each.release()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"expect: 100-continue" in head.lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)expect: 100-continue\r\n", b"", head)
        body = await _body(reader, head)
        call = _call(head, body)
        self.passed += 1
        await self._hold(call, after=False)
        if reader.at_eof():
            return False  # the client was killed meanwhile
        fault = self._draw(call)
        if fault in ("drop", "error", "throttle"):
            return await _fail(writer, call, fault)
        for matches, old, new in self._rewritten:
            body = body.replace(old, new) if matches(call) else body
        answer = await self._forward(head, body)
        await self._hold(call, after=True)
        if fault == "lose":
            return False
        writer.write(answer)
        await writer.drain()
        return b"content-length:" in answer.partition(b"\r\n\r\n")[0].lower()

    async def _hold(self, call: Call, *, after: bool) -> None:
        with self._lock:
            found = next((h for h in self._holds if h.after is after and h.most and h.matches(call)), None)
            if found:
                found.most -= 1
        if found:
            found.reached.set()
            while not found.released.is_set():  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)

    def _draw(self, call: Call) -> str | None:
        if any(matches(call) for matches in self._refused):
            return "drop"
        if self._random.random() >= self.share:
            return None
        # A lost response is the hardest fault, so it is half of all faults.
        fault = self._random.choice(("error", "throttle", "drop", "lose", "lose", "lose"))
        key = f"{call.name} {fault}"
        self.struck[key] = self.struck.get(key, 0) + 1
        return fault

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._upstream, limit=LIMIT)
        try:
            head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
            writer.write(head[:-2] + b"connection: close\r\n\r\n" + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        return re.sub(rb"(?i)\r\nconnection: close", b"", answer, count=1)


async def _fail(writer: asyncio.StreamWriter, call: Call, fault: str) -> bool:
    if fault == "drop":
        return False
    code, status = ("InternalError", 500) if fault == "error" else ("SlowDown", 503)
    if call.name.startswith(("DynamoDB", "SQS")):
        code, status = ("InternalServerError", 500) if fault == "error" else ("ThrottlingException", 400)
        body, kind = f'{{"__type": "{code}", "message": "on purpose"}}', "application/x-amz-json-1.0"
    else:
        inner = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>"
        body, kind = (
            (inner if call.name.startswith("S3") else f"<ErrorResponse>{inner}</ErrorResponse>"),
            "text/xml",
        )
    head = f"HTTP/1.1 {status} On Purpose\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write((head + ("" if call.name == "S3.HeadObject" else body)).encode())
    await writer.drain()
    return True


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if found:
        return await reader.readexactly(int(found[1]))
    if not re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return b""
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        raw += line + await reader.readexactly(size + 2)
        if size == 0:
            return raw


def _call(head: bytes, body: bytes) -> Call:
    method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    text = path + "\n" + body[: 2**18].decode("utf-8", "replace")
    target = re.search(rb"(?i)\r\nx-amz-target: *([^\r]+)", head)
    if target:
        service, _, operation = target[1].decode().rpartition(".")
        return Call(f"{'SQS' if 'SQS' in service else 'DynamoDB'}.{operation}", text)
    action = re.match(rb"(?:.*&)?Action=(\w+)", body)
    if action:
        return Call(f"SNS.{action[1].decode()}", text)
    listing = method == "GET" and "list-type" in path
    return Call("S3.ListObjectsV2" if listing else f"S3.{_S3.get(method, method)}", text)


@contextmanager
def proxy(upstream: str, *, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy in a thread until the block ends."""
    made = Proxy(upstream, seed=seed)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(made.serve, "127.0.0.1", 0, limit=LIMIT))
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.clear()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
