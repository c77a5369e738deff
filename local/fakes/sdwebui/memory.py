"""The checkpoint in memory, which is loaded when a job needs it, and the effect of a broken one."""

import time
from collections import OrderedDict

from local.fakes.model_file import is_complete
from local.fakes.sdwebui.embeddings import Embeddings
from local.fakes.sdwebui.errors import Failure, poisoned, recorded_failure
from local.fakes.sdwebui.models import Checkpoint, Checkpoints
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.stats import Stats


class Memory:
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
        self._remembered: str | None = None
        self._kept: OrderedDict[str, None] = OrderedDict()
        self.current: Checkpoint | None = None

    def need(self) -> Checkpoint:
        """Return the selected checkpoint after loading it, which takes its time; raise Failure."""
        wanted = self._checkpoints.selected
        if wanted is None:
            raise recorded_failure("no-model")
        if wanted.filename == self._remembered:
            if self.current is None:
                raise poisoned()
            return self.current
        before, self.current = self.current, None
        if not self._settings.forge and wanted.path and not is_complete(wanted.path) and before is not None:
            self.current = before  # AUTOMATIC1111 logs it and keeps the previous one
            return before
        self._load(wanted)
        self.current = wanted
        self._remembered = wanted.filename
        self._options.saved["sd_checkpoint_hash"] = wanted.sha256
        return wanted

    def poison(self) -> None:
        """Get into the same state as after a corrupt checkpoint."""
        selected = self._checkpoints.selected
        if self._remembered is None and selected is not None:
            self._remembered = selected.filename
        self.current = None

    def _load(self, wanted: Checkpoint) -> None:
        if wanted.filename in self._kept:
            time.sleep(self._settings.cached_load_seconds)
            self._kept.move_to_end(wanted.filename)
            return
        self._stats.loaded(wanted.name)
        time.sleep(self._settings.load_seconds)
        if wanted.path and not wanted.path.exists():
            raise Failure("FileNotFoundError", f"No such file or directory: {str(wanted.path)!r}")
        if wanted.path and not is_complete(wanted.path):
            wanted.path.rename(wanted.path.with_name(wanted.path.name + ".corrupted"))
            raise recorded_failure("corrupt-checkpoint")
        self._checkpoints.measured(wanted)
        self._embeddings.checkpoint_loaded()
        self._kept[wanted.filename] = None
        while len(self._kept) > max(1, int(self._options["sd_checkpoints_limit"] or 1)):
            self._kept.popitem(last=False)
