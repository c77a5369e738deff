"""The checkpoints in memory: when one is loaded, and what happens after a broken one."""

import time
from collections import OrderedDict

from local.fakes.model_file import is_complete
from local.fakes.sdwebui.embeddings import Embeddings
from local.fakes.sdwebui.errors import Failure, no_checkpoint_loaded, recorded_failure
from local.fakes.sdwebui.models import Checkpoint, Checkpoints
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.stats import Stats


class CheckpointMemory:
    """Loads checkpoints and keeps the last `sd_checkpoints_limit` of them.

    After a failed load nothing is loaded, but the previous checkpoint is still regarded as loaded. A job that
    needs it then fails at once, until another good checkpoint is loaded.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        options: Options,
        settings: Settings,
        stats: Stats,
        embeddings: Embeddings,
    ) -> None:
        self._checkpoints = checkpoints
        self._embeddings = embeddings
        self._options = options
        self._settings = settings
        self._stats = stats
        self._last_loaded: str | None = None
        self._in_memory: OrderedDict[str, None] = OrderedDict()
        self.current: Checkpoint | None = None

    def load_selected(self) -> Checkpoint:
        """Load the selected checkpoint, for as long as the settings say, and return it; raise Failure."""
        selected = self._checkpoints.selected
        if selected is None:
            raise recorded_failure("no-model")
        if selected.filename == self._last_loaded:
            if self.current is None:
                raise no_checkpoint_loaded()
            return self.current
        previous, self.current = self.current, None
        if (
            not self._settings.is_forge
            and selected.path
            and not is_complete(selected.path)
            and previous is not None
        ):
            self.current = previous  # AUTOMATIC1111 only logs the error and keeps the previous checkpoint
            return previous
        self._load(selected)
        self.current = selected
        self._last_loaded = selected.filename
        self._options.saved["sd_checkpoint_hash"] = selected.sha256
        return selected

    def unload_after_failure(self) -> None:
        """Get into the same state as after a checkpoint that could not be loaded."""
        selected = self._checkpoints.selected
        if self._last_loaded is None and selected is not None:
            self._last_loaded = selected.filename
        self.current = None

    def _load(self, selected: Checkpoint) -> None:
        if selected.filename in self._in_memory:
            time.sleep(self._settings.cached_load_seconds)
            self._in_memory.move_to_end(selected.filename)
            return
        self._stats.loaded(selected.name)
        time.sleep(self._settings.load_seconds)
        if selected.path and not selected.path.exists():
            raise Failure("FileNotFoundError", f"No such file or directory: {str(selected.path)!r}")
        if selected.path and not is_complete(selected.path):
            selected.path.rename(selected.path.with_name(selected.path.name + ".corrupted"))
            raise recorded_failure("corrupt-checkpoint")
        self._checkpoints.register_hash(selected)
        self._embeddings.use_listed()
        self._in_memory[selected.filename] = None
        while len(self._in_memory) > max(1, int(self._options["sd_checkpoints_limit"] or 1)):
            self._in_memory.popitem(last=False)
