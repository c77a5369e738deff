"""The fakes of the inference servers, by the `type` of the runtime that they stand in for."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Protocol

from local.fakes.sdwebui.process import running as running_sdwebui


class Fake(Protocol):
    """A running fake."""

    url: str
    """What a consumer calls its engine by."""


FAKES: Final[Mapping[str, Callable[..., AbstractContextManager[Fake]]]] = {"sdwebui": running_sdwebui}
"""Each function starts a fake with its own options and stops it at the end of the block."""
