"""The fakes of the inference servers, by the `type` of their runtimes."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from local.fakes.comfyui.process import running as running_comfyui
from local.fakes.sdwebui.process import running as running_sdwebui


class Fake(Protocol):
    """A running fake."""

    url: str
    """The URL at which a consumer finds it."""

    options: Mapping[str, Any]
    """Options of the runtime that a consumer beside it needs, such as folders that they share."""


FAKES: Final[Mapping[str, Callable[..., AbstractContextManager[Fake]]]] = {
    "sdwebui": running_sdwebui,
    "comfyui": running_comfyui,
}
"""Each function starts a fake with its own options and stops it at the end of the block."""

REQUESTS: Final[Mapping[str, str]] = {
    "sdwebui": "v1alpha2-text-to-image",
    "comfyui": "v1alpha2-comfyui-text-to-image",
}
"""The request in examples/ that `make local` prints for each type."""
