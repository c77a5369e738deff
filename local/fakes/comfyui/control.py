"""The fake's own routes, which ComfyUI does not have: faults, counts, and waiting for an event."""

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.fakes.comfyui import DISCLAIMER, VERSION
from local.fakes.comfyui.components import Components
from local.fakes.comfyui.faults import FAULTS, KINDS, REQUEST_FAULTS
from local.fakes.comfyui.refusals import REFUSALS
from local.fakes.faults import Fault

POLL_SECONDS: Final = 0.005
FAULT_FIELDS: Final = {"name", "jobs", "after", "at", "kind", "node", "factor", "ignore_interrupt"}


def routes(components: Components) -> list[Route]:
    """Return the routes below /fake."""

    async def about(_: Request) -> Response:
        kinds = {"kinds": sorted(KINDS), "refusals": REFUSALS}
        return JSONResponse({"name": VERSION, "is": DISCLAIMER, "faults": FAULTS, **kinds})

    async def switch_on(request: Request) -> Response:
        body = await request.json()
        if (
            body.get("name") not in FAULTS
            or not set(body) <= FAULT_FIELDS
            or body.get("kind", "node") not in KINDS | REFUSALS
        ):
            return JSONResponse(
                {"error": f"expected one of {sorted(FAULTS)} with {sorted(FAULT_FIELDS)}"}, 422
            )
        fault = Fault(**body)
        group = components.request_faults.get(fault.name, components.faults)
        group.switch_on(fault)
        _apply_deafness(components)
        return JSONResponse(fault.to_json())

    async def clear(request: Request) -> Response:
        name = request.path_params.get("name")
        components.faults.clear(name)
        for fault_name in REQUEST_FAULTS:
            if name in (None, fault_name):
                components.request_faults[fault_name].clear()
        _apply_deafness(components)
        return JSONResponse({})

    async def stats(_: Request) -> Response:
        return JSONResponse(_counts(components))

    async def jobs(_: Request) -> Response:
        return JSONResponse(components.stats.jobs)

    async def wait(request: Request) -> Response:
        query = dict(request.query_params)
        deadline = time.monotonic() + float(query.pop("timeout", 30))
        wanted_refusal = query.pop("refusing", None)
        while True:
            counts = _counts(components)
            is_refusal_as_wanted = (
                wanted_refusal is None or (wanted_refusal.lower() == "true") == components.faults.refusing
            )
            if is_refusal_as_wanted and all(
                counts[name] >= float(minimum) for name, minimum in query.items()
            ):
                return JSONResponse(counts)
            if time.monotonic() > deadline:
                return JSONResponse({"error": f"waited for {query}, got {counts}"}, 408)
            await asyncio.sleep(POLL_SECONDS)

    return [
        Route("/", about),
        Route("/faults", switch_on, methods=["POST"]),
        Route("/faults", clear, methods=["DELETE"]),
        Route("/faults/{name}", clear, methods=["DELETE"]),
        Route("/stats", stats),
        Route("/jobs", jobs),
        Route("/wait", wait),
    ]


def _apply_deafness(components: Components) -> None:
    components.events.is_deaf = components.faults.is_on("deaf")


def _counts(components: Components) -> dict[str, Any]:
    return {
        **components.stats.to_json(),
        "held": components.faults.held(),
        "waiting": len(components.queue.pending()),
        "sockets_closed": components.events.closed,
        "running": len(components.queue.running),
    }
