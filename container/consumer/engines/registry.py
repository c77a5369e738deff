"""The engines, by the `type` of a worker's runtime."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from container.consumer.engines.base import Engine
from container.consumer.engines.comfyui.build import build_comfyui
from container.consumer.engines.sdwebui.build import build_sdwebui
from container.consumer.settings import Settings

ENGINES: Final[Mapping[str, Callable[[Settings, Any, Any], Engine]]] = {
    "sdwebui": build_sdwebui,
    "comfyui": build_comfyui,
}
"""Each function creates its engine from the settings, a client of S3, and one of Secrets Manager or None."""
