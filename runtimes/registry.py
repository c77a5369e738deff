"""The runtime types, by the `type` of a runtime's settings."""

from collections.abc import Mapping
from typing import Final

from domain.routing import Runtime, Runtimes
from runtimes.base import RuntimeType
from runtimes.comfyui.runtime_type import ComfyUi
from runtimes.sdwebui.runtime_type import SdWebUi

RuntimeTypes = Mapping[str, RuntimeType]

RUNTIME_TYPES: Final[RuntimeTypes] = {
    runtime_type.name: runtime_type for runtime_type in (SdWebUi(), ComfyUi())
}


def type_of(runtime: Runtime | None, runtimes: Runtimes, types: RuntimeTypes = RUNTIME_TYPES) -> RuntimeType:
    """Return the type of a runtime; without a runtime, return the type of the first one."""
    chosen_runtime = runtime or next(iter(runtimes), None)
    return types[chosen_runtime.type] if chosen_runtime else next(iter(types.values()))
