"""Serve the fake as a process."""

import asyncio

from starlette.applications import Starlette
from starlette.routing import Mount

from local.fakes import serving
from local.fakes.comfyui import DISCLAIMER, control
from local.fakes.comfyui.app import create_app
from local.fakes.comfyui.components import Components
from local.fakes.comfyui.nodes_images import accept_any_image


def run(components: Components, *, host: str, port: int, control_port: int) -> None:
    """Serve until a signal arrives."""
    accept_any_image()
    tasks = []

    def create() -> Starlette:
        tasks.append(asyncio.create_task(components.events.publish()))  # kept, so that it is not collected
        components.start()
        return create_app(components)

    serving.run(
        create,
        Starlette(routes=[Mount("/fake", routes=control.routes(components))]),
        components.faults,
        host=host,
        port=port,
        control_port=control_port,
        boot_seconds=components.settings.boot_seconds,
        keep_alive_seconds=components.settings.keep_alive_seconds,
        description=DISCLAIMER,
    )
