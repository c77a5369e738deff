"""The server process: its listeners, signals and output."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Mount

from local.fakes.comfyui import DISCLAIMER, control
from local.fakes.comfyui.app import create_app
from local.fakes.comfyui.components import Components
from local.fakes.sdwebui.server import REFUSAL_POLL_SECONDS, Server, bound

READY: Final = "fake ready"  # the beginning of the line for which `local.fakes.comfyui.process` waits
BOOTING: Final = "fake boots"  # the beginning of the line before, with `boot_seconds`


def run(components: Components, *, host: str, port: int, control_port: int) -> None:
    """Serve until a signal arrives; print a line with both addresses when connections are accepted.

    During `boot_seconds` the port is bound but not listening, so that connections are refused. A line is
    printed when this time begins, and the control port responds.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    listener = bound(host, port)
    own = Starlette(routes=[Mount("/fake", routes=control.routes(components))])
    asyncio.run(_serve(components, listener, Server(own, bound("127.0.0.1", control_port))))


async def _serve(components: Components, listener: socket.socket, side: Server) -> None:
    settings = components.settings
    answering = await _started(side)
    address, own_port = listener.getsockname()
    addresses = f"url=http://{address}:{own_port} control={side.url} pid={os.getpid()} ({DISCLAIMER})"
    if settings.boot_seconds:
        print(f"{BOOTING} {addresses}", flush=True)
        await asyncio.sleep(settings.boot_seconds)
    publishing = asyncio.create_task(components.events.publish())
    components.start()
    main = Server(create_app(components), listener, keep_alive_seconds=settings.keep_alive_seconds)
    serving = await _started(main)
    print(f"{READY} {addresses}", flush=True)
    while not serving.done():
        wanted = components.faults.is_on("refuse")
        if wanted != components.faults.refusing:
            await (main.refuse() if wanted else main.listen())
            components.faults.refusing = wanted
        await asyncio.sleep(REFUSAL_POLL_SECONDS)
    for task in (answering, publishing):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    sys.exit(0)


async def _started(server: Server) -> "asyncio.Task[None]":
    """Start a server and wait until it accepts connections."""
    serving = asyncio.create_task(server.serve(sockets=[server.listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(REFUSAL_POLL_SECONDS)
    return serving
