"""Select SD Web UI's checkpoint, and tell without a request before each job whether it is still selected.

Two things can change it: SD Web UI is restarted, which closes the connection of the last job, or another
client selects a checkpoint, which the response to the next job shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from container.consumer.engines.sdwebui.models.engine_lists import WebUiApi
from domain.errors import PermanentError, RetryableError

OPTIONS: Final = "/sdapi/v1/options"
CHECKPOINT_OPTION: Final = "sd_model_checkpoint"
CHECKPOINTS_IN_MEMORY_OPTION: Final = "sd_checkpoints_limit"
LOAD_SECONDS: Final = 600.0
"""AUTOMATIC1111 loads within `POST /options`, Forge at the next job; 7 GB from a cold volume take minutes."""


@dataclass(eq=False, slots=True)
class Selection:
    """A checkpoint that was selected for the jobs that follow."""

    name: str
    was_changed: bool = False
    """Whether another client has selected another checkpoint since."""


class CheckpointSelector:
    """Selects checkpoints between jobs; `was_changed` may be called from any thread."""

    def __init__(self, webui: WebUiApi, *, in_memory: int, is_same_process: Callable[[], bool]) -> None:
        self._webui = webui
        self._is_same_process = is_same_process
        self._memory_option = {CHECKPOINTS_IN_MEMORY_OPTION: in_memory} if in_memory else {}
        self.current: Selection | None = None

    def is_selected(self, name: str) -> bool:
        """Return whether SD Web UI still has this checkpoint selected."""
        current = self.current
        if current is None or current.name != name:
            return False
        if not current.was_changed and self._is_same_process():
            return True
        # If SD Web UI was restarted, it has selected its first checkpoint again.
        current.was_changed = self.read_option() != name
        return not current.was_changed

    def select(self, name: str) -> bool:
        """Select a checkpoint; return False if SD Web UI then has another one."""
        self.select_unchecked(name)
        # AUTOMATIC1111 loads at once; if that fails, it responds 200 and keeps the previous checkpoint.
        if self.read_option() not in (None, name):
            self.current = None
        return self.current is not None

    def select_unchecked(self, name: str) -> None:
        """Select a checkpoint without checking whether SD Web UI loads it."""
        self.current = None
        self._webui.post(OPTIONS, {**self._memory_option, CHECKPOINT_OPTION: name}, seconds=LOAD_SECONDS)
        self.current = Selection(name)

    def was_changed(self, selection: Selection) -> bool:
        """Return whether another checkpoint may have been used because something else selected it."""
        if not selection.was_changed and selection is self.current:
            selection.was_changed = self.read_option() not in (None, selection.name)
        return selection.was_changed or selection is not self.current

    def read_option(self) -> str | None:
        """Return the checkpoint that SD Web UI has selected, without hash, or None if it is not known."""
        try:
            options: Any = self._webui.get(OPTIONS)
        except (PermanentError, RetryableError):
            # A single invalid option makes the response a 500 (40-options-get-after-wrong-type).
            return None
        name = options.get(CHECKPOINT_OPTION) if isinstance(options, dict) else None
        return remove_hash(name) if isinstance(name, str) else None


def remove_hash(name: str) -> str:
    """Return a listed checkpoint's name without the hash in brackets at its end."""
    return name.rsplit(" [", 1)[0] if name.endswith("]") else name
