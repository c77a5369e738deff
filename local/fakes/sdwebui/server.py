"""Serve the fake, as a process or in a thread."""

import contextlib
import threading
from collections.abc import Generator

from fastapi import FastAPI

from local.fakes import serving
from local.fakes.sdwebui import DISCLAIMER, control
from local.fakes.sdwebui.app import create_app
from local.fakes.sdwebui.components import Components
from local.fakes.serving import BACKLOG, Server, bind


def run(components: Components, *, host: str, port: int, control_port: int) -> None:
    """Serve until a signal arrives."""
    control_app = FastAPI(title="fake control", description=DISCLAIMER)
    control_app.include_router(control.router(components))
    serving.run(
        lambda: create_app(components),
        control_app,
        components.faults,
        host=host,
        port=port,
        control_port=control_port,
        boot_seconds=components.settings.boot_seconds,
        keep_alive_seconds=components.settings.keep_alive_seconds,
        description=DISCLAIMER,
    )


@contextlib.contextmanager
def in_thread(components: Components) -> Generator[str, None, None]:
    """Serve on a free port in a thread of this process, for tests; yield the URL."""
    server = Server(create_app(components), bind("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: server.run(sockets=[server.listener]), daemon=True)
    server.listener.listen(BACKLOG)  # queues connections, so that nobody has to wait for the thread
    thread.start()
    try:
        yield server.url
    finally:
        components.faults.clear()
        server.should_exit = server.force_exit = True
        thread.join(10)
