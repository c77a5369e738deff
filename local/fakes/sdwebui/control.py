"""The fake's own routes, which Web UI does not have: faults, counts, and waiting for an event.

They are asynchronous, so that they respond while jobs use all 40 threads.
"""

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from local.fakes.faults import Fault
from local.fakes.sdwebui import DISCLAIMER, VERSION
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.errors import KINDS
from local.fakes.sdwebui.faults import FAULTS

POLL_SECONDS = 0.005


class FaultRequest(BaseModel):
    """The body that switches a fault on."""

    model_config = ConfigDict(extra="forbid")

    name: Literal[tuple(FAULTS)]  # type: ignore[valid-type]
    jobs: int | None = Field(None, ge=1)
    after: int = Field(0, ge=0)
    at: float = Field(0.5, ge=0, le=1)
    kind: Literal[tuple(sorted(KINDS))] = "out-of-memory"  # type: ignore[valid-type]
    factor: float = Field(10.0, gt=0)
    ignore_interrupt: bool = False


class WaitQuery(BaseModel):
    """The counts to wait for, and the maximum time in seconds.

    `step` is that of the running job, `held` the number of jobs that hang because of a fault.
    """

    arrived: int = 0
    begun: int = 0
    ended: int = 0
    waiting: int = 0
    held: int = 0
    step: int = 0
    model_loads: int = 0
    refusing: bool | None = None
    timeout: float = 30


def router(components: Components) -> APIRouter:
    """Return the routes below /fake."""
    routes = APIRouter(prefix="/fake", tags=["the fake's own"])

    @routes.get("")
    async def about() -> dict[str, Any]:
        return {"name": VERSION, "is": DISCLAIMER, "faults": FAULTS, "kinds": sorted(KINDS)}

    @routes.get("/faults")
    async def faults() -> list[dict[str, Any]]:
        return components.faults.to_json()

    @routes.post("/faults")
    async def switch_on(request: FaultRequest) -> list[dict[str, Any]]:
        components.faults.switch_on(Fault(**request.model_dump()))
        return components.faults.to_json()

    @routes.delete("/faults")
    async def clear_all() -> list[dict[str, Any]]:
        components.faults.clear()
        return components.faults.to_json()

    @routes.delete("/faults/{name}")
    async def clear(name: str) -> list[dict[str, Any]]:
        components.faults.clear(name)
        return components.faults.to_json()

    @routes.get("/stats")
    async def stats() -> dict[str, Any]:
        return _counts(components)

    @routes.get("/jobs")
    async def jobs() -> list[dict[str, Any]]:
        return components.stats.jobs

    @routes.get("/wait")
    async def wait(query: Annotated[WaitQuery, Query()]) -> dict[str, Any]:
        deadline = time.monotonic() + query.timeout
        minimum_counts = query.model_dump(exclude={"timeout", "refusing"})
        while True:
            counts = _counts(components)
            is_refusal_as_wanted = query.refusing in (None, components.faults.refusing)
            if is_refusal_as_wanted and all(
                counts[name] >= minimum for name, minimum in minimum_counts.items()
            ):
                return counts
            if time.monotonic() > deadline:
                raise HTTPException(408, f"waited for {minimum_counts}, got {counts}")
            await asyncio.sleep(POLL_SECONDS)

    return routes


def _counts(components: Components) -> dict[str, Any]:
    step = components.state.sampling_step if components.state.job_count > 0 else 0
    return {
        **components.stats.to_json(),
        "held": components.faults.held(),
        "step": step,
        "job_count": components.state.job_count,
    }
