"""The runtime types, by the `type` of a runtime's settings."""

from collections.abc import Mapping
from typing import Final

from domain.routing import Runtime, Runtimes
from runtimes.base import RuntimeType
from runtimes.sdwebui.runtime_type import SdWebUi

RuntimeTypes = Mapping[str, RuntimeType]

RUNTIME_TYPES: Final[RuntimeTypes] = {one.name: one for one in (SdWebUi(),)}


def type_of(runtime: Runtime | None, runtimes: Runtimes, types: RuntimeTypes = RUNTIME_TYPES) -> RuntimeType:
    """Return the type of a runtime; without a runtime, return the type of the first one."""
    one = runtime or next(iter(runtimes), None)
    return types[one.type] if one else next(iter(types.values()))
