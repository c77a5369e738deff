"""A reverse proxy in front of the AWS emulator or an engine.

It can delay calls, fail them, and lose their responses.
"""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

MAX_HEAD_BYTES: Final = 2**20
SEARCHED_BYTES: Final = 2**18
"""How much of a body `containing` is looked for in; the ids of tasks stand near the beginning."""
WAIT_SECONDS: Final = 40.0
LOST_RESPONSE = "lost response"
CLOSED_CONNECTION = "closed connection"
ERROR = "error"
THROTTLED = "throttled"

_S3_OPERATIONS = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


@dataclass(frozen=True)
class Call:
    """A call: of AWS by a name like `S3.PutObject`, of an engine by method and first folder, `GET /view`."""

    name: str
    text: str
    """Path and body, which may contain a task's id."""
    response: str = ""
    """The response, once there is one."""


@dataclass
class Hold:
    """Delays `calls_left` matching calls before they are executed, or with `after`, before the response."""

    matches: Callable[[Call], bool]
    after: bool
    calls_left: int
    late: bool = False
    """Whether the calls are executed although the client has given them up."""
    has_delayed_a_call: threading.Event = field(default_factory=threading.Event)
    is_released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait until a call is delayed."""
        assert self.has_delayed_a_call.wait(WAIT_SECONDS), "no call was delayed"

    def release(self) -> None:
        """Let the delayed calls continue."""
        self.is_released.set()


class Proxy:
    """Forwards calls to `upstream`, and injects a random fault into `fault_fraction` (0 to 1) of them.

    `seed` makes a run's faults repeatable. `fault_counts` counts them by call and fault. `parse` returns the
    call that a request's head and body are.
    """

    def __init__(self, upstream: str, *, seed: int = 0, parse: Callable[[bytes, bytes], Call]) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._random = random.Random(seed)
        self._parse = parse
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server
        self._holds: list[Hold] = []
        self._refusals: list[Callable[[Call], bool]] = []
        self._rewrites: list[tuple[Callable[[Call], bool], bytes, bytes]] = []
        self._lock = threading.Lock()
        self.fault_fraction = 0.0
        self.port = 0
        self.call_count = 0
        self.forwarded: Counter[str] = Counter()
        self.fault_counts: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Return the address to use instead of the server's."""
        return f"http://127.0.0.1:{self.port}"

    def hold(
        self,
        name: str,
        containing: str = "",
        *,
        after: bool = False,
        answering: str = "",
        max_calls: int = 1,
        late: bool = False,
    ) -> Hold:
        """Delay the next `max_calls` calls with a name whose path or body contains a text.

        With `after`, the response has to contain `answering`. With `late`, calls are executed when the hold
        is released although their client has given them up, as a server does that hung.
        """

        def matches(call: Call) -> bool:
            return call.name == name and containing in call.text and answering in call.response

        hold = Hold(matches, after, max_calls, late)
        with self._lock:
            self._holds.append(hold)
        return hold

    @contextmanager
    def refusing(self, name: str, containing: str = "") -> Iterator[None]:
        """Close the connection of every call with a name and a text, until the block ends."""

        def matches(call: Call) -> bool:
            return call.name == name and containing in call.text

        self._refusals.append(matches)
        try:
            yield
        finally:
            self._refusals.remove(matches)

    @contextmanager
    def rewriting(self, name: str, containing: str, old: bytes, new: bytes) -> Iterator[None]:
        """Replace `old` by `new` in the bodies of calls with a name and a text, until the block ends."""
        assert len(old) == len(new), "the length in the headers must remain right"
        rewrite = (lambda call: call.name == name and containing in call.text, old, new)
        self._rewrites.append(rewrite)
        try:
            yield
        finally:
            self._rewrites.remove(rewrite)

    def clear(self) -> None:
        """Release all held calls and inject no further random faults."""
        self.fault_fraction = 0.0
        with self._lock:
            holds, self._holds = self._holds, []
        for hold in holds:
            hold.release()

    def refuse(self) -> None:
        """Refuse connections, as a server does that has ended, until `listen` is called."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(WAIT_SECONDS)

    def listen(self) -> None:
        """Accept connections, from the second call on at the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(WAIT_SECONDS)

    async def _close(self) -> None:
        self._server.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=MAX_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in a thread until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        thread.start()
        self.listen()
        try:
            yield
        finally:
            self.clear()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._server.close()
            while tasks := asyncio.all_tasks(self._loop):
                for task in tasks:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(tasks))
            self._loop.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client."""
        # A killed client and the end of the test both break connections; neither is an error of the proxy.
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while await self._serve_call(reader, writer):
                pass
        writer.close()

    async def _serve_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the connection remains open for another call."""
        head = await reader.readuntil(b"\r\n\r\n")
        if b"expect: 100-continue" in head.lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)expect: 100-continue\r\n", b"", head)
        if b"upgrade: websocket" in head.lower():
            await self._join(head, reader, writer)
            return False
        body = await _read_body(reader, head)
        call = self._parse(head, body)
        self.call_count += 1
        hold = await self._wait_while_held(call, after=False)
        if reader.at_eof() and not (hold and hold.late):
            return False  # the client was killed meanwhile
        fault = self._choose_fault(call)
        if fault in (CLOSED_CONNECTION, ERROR, THROTTLED):
            return await _fail(writer, call, fault)
        for matches, old, new in self._rewrites:
            body = body.replace(old, new) if matches(call) else body
        response = await self._forward(call, head, body)
        text = response[:SEARCHED_BYTES].decode("utf-8", "replace")
        await self._wait_while_held(replace(call, response=text), after=True)
        if fault == LOST_RESPONSE:
            return False
        writer.write(response)
        await writer.drain()
        # Without a length, only the end of the connection tells the client where the body ends.
        return b"content-length:" in response.partition(b"\r\n\r\n")[0].lower()

    async def _wait_while_held(self, call: Call, *, after: bool) -> Hold | None:
        with self._lock:
            matching = (hold for hold in self._holds if hold.after is after and hold.matches(call))
            hold = next((hold for hold in matching if hold.calls_left), None)
            if hold:
                hold.calls_left -= 1
        if hold:
            hold.has_delayed_a_call.set()
            while not hold.is_released.is_set():  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
        return hold

    def _choose_fault(self, call: Call) -> str | None:
        if any(matches(call) for matches in self._refusals):
            return CLOSED_CONNECTION
        if self._random.random() >= self.fault_fraction:
            return None
        # After a lost response the client does not know whether AWS executed the call. That is the hardest
        # fault to handle, so it is half of all faults.
        faults = (ERROR, THROTTLED, CLOSED_CONNECTION, LOST_RESPONSE, LOST_RESPONSE, LOST_RESPONSE)
        fault = self._random.choice(faults)
        key = f"{call.name} {fault}"
        self.fault_counts[key] = self.fault_counts.get(key, 0) + 1
        return fault

    async def _forward(self, call: Call, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._upstream, limit=MAX_HEAD_BYTES)
        self.forwarded[call.name] += 1
        try:
            # The emulator closes the connection, so that the end of the response needs no parser.
            head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
            writer.write(head[:-2] + b"connection: close\r\n\r\n" + body)
            await writer.drain()
            response = await reader.read()
        finally:
            writer.close()
        return re.sub(rb"(?i)\r\nconnection: close", b"", response, count=1)

    async def _join(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a websocket, until either side closes it."""
        received, upstream = await asyncio.open_connection(*self._upstream, limit=MAX_HEAD_BYTES)
        upstream.write(head)
        await asyncio.wait(
            (asyncio.create_task(_pump(reader, upstream)), asyncio.create_task(_pump(received, writer))),
            return_when=asyncio.FIRST_COMPLETED,
        )
        upstream.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(MAX_HEAD_BYTES):
            writer.write(data)
            await writer.drain()


async def _fail(writer: asyncio.StreamWriter, call: Call, fault: str) -> bool:
    """Send the service's own form of an error; return whether the connection remains open."""
    if fault == CLOSED_CONNECTION:
        return False
    code, status = ("InternalError", 500) if fault == ERROR else ("SlowDown", 503)
    if call.name.startswith(("DynamoDB", "SQS")):
        code, status = ("InternalServerError", 500) if fault == ERROR else ("ThrottlingException", 400)
        body, media_type = f'{{"__type": "{code}", "message": "on purpose"}}', "application/x-amz-json-1.0"
    else:
        error = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>"
        body = error if call.name.startswith("S3") else f"<ErrorResponse>{error}</ErrorResponse>"
        media_type = "text/xml"
    head = (
        f"HTTP/1.1 {status} On Purpose\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    # A response to HEAD has no body.
    writer.write((head + ("" if call.name == "S3.HeadObject" else body)).encode())
    await writer.drain()
    return True


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    if not re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return b""
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        raw += line + await reader.readexactly(size + 2)
        if size == 0:
            return raw


def engine_call(head: bytes, body: bytes) -> Call:
    """Return the call of an engine's API that a request is."""
    method, path, text = _parts(head, body)
    return Call(f"{method} /{path.split('?')[0].split('/')[1]}", text)


def aws_call(head: bytes, body: bytes) -> Call:
    """Return the call of AWS that a request is."""
    method, path, text = _parts(head, body)
    target = re.search(rb"(?i)\r\nx-amz-target: *([^\r]+)", head)
    if target:
        service, _, operation = target[1].decode().rpartition(".")
        return Call(f"{'SQS' if 'SQS' in service else 'DynamoDB'}.{operation}", text)
    action = re.match(rb"(?:.*&)?Action=(\w+)", body)
    if action:
        return Call(f"SNS.{action[1].decode()}", text)
    is_listing = method == "GET" and "list-type" in path
    return Call("S3.ListObjectsV2" if is_listing else f"S3.{_S3_OPERATIONS.get(method, method)}", text)


def _parts(head: bytes, body: bytes) -> tuple[str, str, str]:
    method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    return method, path, path + "\n" + body[:SEARCHED_BYTES].decode("utf-8", "replace")


@contextmanager
def running_proxy(
    upstream: str, *, seed: int = 0, parse: Callable[[bytes, bytes], Call] = aws_call
) -> Iterator[Proxy]:
    """Run a proxy in a thread until the block ends."""
    proxy = Proxy(upstream, seed=seed, parse=parse)
    with proxy.running():
        yield proxy
