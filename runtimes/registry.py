"""The runtime types, by the `type` of a runtime's settings."""

from collections.abc import Mapping
from typing import Final

from runtimes.base import RuntimeType
from runtimes.sdwebui.runtime_type import SdWebUi

RUNTIME_TYPES: Final[Mapping[str, RuntimeType]] = {one.name: one for one in (SdWebUi(),)}
