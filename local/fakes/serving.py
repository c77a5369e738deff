"""The server process of a fake: its listeners, its signals, and the line that says where it listens."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from typing import Any

import uvicorn
from starlette.applications import Starlette

from local.fakes.faults import Faults

READY = "fake ready"  # the beginning of the line for which `local.fakes.process` waits
BOOTING = "fake boots"  # the beginning of the line before, with `boot_seconds`
BACKLOG = 2048
REFUSAL_POLL_SECONDS = 0.005


class Server(uvicorn.Server):
    """A server that SIGTERM ends at once, without draining connections, as the real servers."""

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
        app.state.close_connection = self.close_connection

    @property
    def url(self) -> str:
        """Return the address to send requests to."""
        return f"http://{self.address[0]}:{self.address[1]}"

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Keep the default signal handlers, because uvicorn's would drain connections first."""
        yield

    def close_connection(self, client: Any) -> None:
        """Close a client's connection without a response."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()

    async def stop_listening(self) -> None:
        """Stop listening and close all connections."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            getattr(connection, "transport").abort()  # noqa: B009 -- a union of uvicorn's protocols

    async def listen_again(self) -> None:
        """Listen again on the same port."""
        listener = bind(*self.address)
        protocol = self.config.http_protocol_class

        def connect() -> asyncio.Protocol:
            return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(connect, sock=listener, backlog=BACKLOG)]


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket, so that the port is known before the server starts; 0 is any free port."""
    # With an explicit protocol, asyncio sets TCP_NODELAY; otherwise responses wait 40 ms for ACKs.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def run(
    create_app: Callable[[], Starlette],
    control_app: Starlette,
    faults: Faults,
    *,
    host: str,
    port: int,
    control_port: int,
    boot_seconds: float,
    keep_alive_seconds: int,
    description: str,
) -> None:
    """Serve until a signal arrives; print a line with both addresses when connections are accepted.

    During `boot_seconds` the port is bound but not listening, so that connections are refused. A line is
    printed when this time begins, and `control_app` responds at the control port. Then the application is
    created, in the event loop.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    listener = bind(host, port)
    control_server = Server(control_app, bind("127.0.0.1", control_port))

    async def serve() -> None:
        control_task = await _start(control_server)
        address, main_port = listener.getsockname()
        addresses = (
            f"url=http://{address}:{main_port} control={control_server.url} pid={os.getpid()} ({description})"
        )
        if boot_seconds:
            print(f"{BOOTING} {addresses}", flush=True)
            await asyncio.sleep(boot_seconds)
        main = Server(create_app(), listener, keep_alive_seconds=keep_alive_seconds)
        main_task = await _start(main)
        print(f"{READY} {addresses}", flush=True)
        while not main_task.done():
            must_refuse = faults.is_on("refuse")
            if must_refuse != faults.refusing:
                await (main.stop_listening() if must_refuse else main.listen_again())
                faults.refusing = must_refuse
            await asyncio.sleep(REFUSAL_POLL_SECONDS)
        control_task.cancel()
        sys.exit(0)

    asyncio.run(serve())


async def _start(server: Server) -> "asyncio.Task[None]":
    """Start a server and wait until it accepts connections."""
    task = asyncio.create_task(server.serve(sockets=[server.listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(REFUSAL_POLL_SECONDS)
    return task
