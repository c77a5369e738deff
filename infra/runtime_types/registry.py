"""The runtime types that can be deployed, by the `type` of a runtime in `config.yaml`."""

from collections.abc import Mapping
from typing import Final

from infra.runtime_types.base import Runtime
from infra.runtime_types.comfyui import ComfyUi
from infra.runtime_types.sdwebui import SdWebUi

RuntimeTypes = Mapping[str, type[Runtime]]

RUNTIME_TYPES: Final[RuntimeTypes] = {"sdwebui": SdWebUi, "comfyui": ComfyUi}
"""For each type, the class of its settings, which also describes the container of its engine."""
