"""The server process: its listeners, signals and output."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from local.fakes.sdwebui import DISCLAIMER, control
from local.fakes.sdwebui.app import create_app
from local.fakes.sdwebui.components import Components

READY = "fake ready"  # the beginning of the line for which `local.fakes.sdwebui.process` waits
BOOTING = "fake boots"  # the beginning of the line before, with `boot_seconds`
BACKLOG = 2048
REFUSAL_POLL_SECONDS = 0.005


class Server(uvicorn.Server):
    """A server that SIGTERM ends at once, without draining connections, as SD Web UI."""

    def __init__(self, app: Starlette, listener: socket.socket, *, keep_alive_seconds: int = 30) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                timeout_keep_alive=keep_alive_seconds,
                lifespan="off",
            )
        )
        self.listener = listener
        self.address: tuple[str, int] = listener.getsockname()
        app.state.drop = self.drop

    @property
    def url(self) -> str:
        """Return the address to send requests to."""
        return f"http://{self.address[0]}:{self.address[1]}"

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Keep the default signal handlers, because uvicorn's would drain connections first."""
        yield

    def drop(self, client: Any) -> None:
        """Close a client's connection without a response."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()

    async def refuse(self) -> None:
        """Stop listening and close all connections."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            getattr(connection, "transport").abort()  # noqa: B009 -- a union of uvicorn's protocols

    async def listen(self) -> None:
        """Listen again on the same port."""
        listener = bound(*self.address)
        protocol = self.config.http_protocol_class

        def connect() -> asyncio.Protocol:
            return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(connect, sock=listener, backlog=BACKLOG)]


def bound(host: str, port: int) -> socket.socket:
    """Bind a socket, so that the port is known before the server starts; 0 is any free port."""
    # With an explicit protocol, asyncio sets TCP_NODELAY; otherwise responses wait 40 ms for ACKs.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def run(components: Components, *, host: str, port: int, control_port: int) -> None:
    """Serve until a signal arrives; print a line with both addresses when connections are accepted.

    During `boot_seconds` the port is bound but not listening, so that connections are refused. A line is
    printed when this time begins, and the control port responds.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    listener = bound(host, port)
    own = FastAPI(title="fake control", description=DISCLAIMER)
    own.include_router(control.router(components))
    asyncio.run(_serve(components, listener, Server(own, bound("127.0.0.1", control_port))))


async def _serve(components: Components, listener: socket.socket, side: Server) -> None:
    settings = components.settings
    answering = await _started(side)
    address, own_port = listener.getsockname()
    addresses = f"url=http://{address}:{own_port} control={side.url} pid={os.getpid()} ({DISCLAIMER})"
    if settings.boot_seconds:
        print(f"{BOOTING} {addresses}", flush=True)
        await asyncio.sleep(settings.boot_seconds)
    main = Server(create_app(components), listener, keep_alive_seconds=settings.keep_alive_seconds)
    serving = await _started(main)
    print(f"{READY} {addresses}", flush=True)
    while not serving.done():
        wanted = components.faults.is_on("refuse")
        if wanted != components.faults.refusing:
            await (main.refuse() if wanted else main.listen())
            components.faults.refusing = wanted
        await asyncio.sleep(REFUSAL_POLL_SECONDS)
    answering.cancel()
    sys.exit(0)


async def _started(server: Server) -> "asyncio.Task[None]":
    """Start a server and wait until it accepts connections."""
    serving = asyncio.create_task(server.serve(sockets=[server.listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(REFUSAL_POLL_SECONDS)
    return serving


@contextlib.contextmanager
def in_thread(components: Components) -> Generator[str, None, None]:
    """Serve on a free port in a thread of this process, for tests; yield the URL."""
    server = Server(create_app(components), bound("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: server.run(sockets=[server.listener]), daemon=True)
    server.listener.listen(
        BACKLOG
    )  # connections are queued from here on, so nobody has to wait for the thread
    thread.start()
    try:
        yield server.url
    finally:
        components.faults.clear()
        server.should_exit = server.force_exit = True
        thread.join(10)
