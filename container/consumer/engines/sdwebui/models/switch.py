"""Which checkpoint SD Web UI uses next, by the way that the recordings show to be safe.

The option is set between jobs: `POST /options` takes no lock, and in the middle of a job it changes the model
between two images (71-job-B). It refuses an unknown name before any work, where `override_settings` drops it
silently (42-*) and, restored afterwards, loads the old model again for the next job (43-*).
"""

import logging
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.models.engine_lists import (
    EngineModelLists,
    WebUiApi,
)
from container.consumer.engines.sdwebui.models.resolver import Found
from container.consumer.engines.sdwebui.models.store import ModelStore
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import Kind, checkpoint_aliases, listed_name

OPTIONS: Final = "/sdapi/v1/options"
OPTION: Final = "sd_model_checkpoint"
MEMORY_OPTION: Final = "sd_checkpoints_limit"
LOAD_SECONDS: Final = 600.0
"""AUTOMATIC1111 loads within `POST /options`, Forge at the next job; 7 GB from a cold volume take minutes."""

_NAMED: Final = "/alwayson_scripts/sd_model_checkpoint"
_log = logging.getLogger(__name__)


class Models:
    """Have the models that a task needs where Web UI finds them, and select its checkpoint.

    `own` is the runtime's `MODEL_FILENAME`; a runtime that is not `dynamic` serves no other. `in_memory` is
    how many checkpoints Web UI keeps loaded, 0 leaves it to Web UI's own settings.
    """

    def __init__(
        self, store: ModelStore, webui: WebUiApi, *, own: str, dynamic: bool, in_memory: int = 0
    ) -> None:
        self._store = store
        self._webui = webui
        self._lists = EngineModelLists(webui)
        self._own = own
        self._dynamic = dynamic
        self._limit = {MEMORY_OPTION: in_memory} if in_memory else {}
        self._selected: str | None = None
        self._active: list[Found] = []
        self._seen: dict[Kind, set[tuple[str, int]]] = {}

    def ensure(self, content: dict[str, Any]) -> None:
        """Fetch what is missing; called while another job may run."""
        self._store.ensure(self._rightful(content))

    def switch(self, content: dict[str, Any]) -> str | None:
        """Make Web UI use the task's checkpoint; called between jobs.

        Return what `info.sd_model_name` must say afterwards, None where any is right.
        """
        self._active = []
        self._active = self._store.activate(self._rightful(content))
        self._show(self._active)
        named = next((one for one in self._active if one.need.path == _NAMED), None)
        if named is not None:
            return self._select(named.name)
        if self._own:
            return self._select(self._listed_own())
        name = (content.get("alwayson_scripts") or {}).get(OPTION)
        # A static runtime without MODEL_FILENAME: whatever Web UI was started with must be what is named.
        return PurePosixPath(_without_hash(name)).name.removesuffix(".safetensors") if name else None

    def failed(self, fault: Exception) -> None:
        """Take note that a job failed: its checkpoint may be one that Web UI cannot load."""
        if isinstance(fault, PermanentError) and fault.code is ErrorCode.MODEL_UNUSABLE:
            self._store.refuse(self._active, "SD Web UI cannot load it")

    def leave(self) -> None:
        """End a running fetch: the worker leaves."""
        self._store.leave()

    def _rightful(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content with the checkpoint only where this runtime switches."""
        scripts = content.get("alwayson_scripts")
        name = scripts.get(OPTION) if isinstance(scripts, dict) else None
        if self._dynamic or not name or not isinstance(scripts, dict):
            return content
        if self._own and name not in (self._own, str(PurePosixPath(self._own).with_suffix(""))):
            text = f"{_NAMED}: this runtime serves {self._own} and no other checkpoint."
            raise PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
        return {**content, "alwayson_scripts": {k: v for k, v in scripts.items() if k != OPTION}}

    def _show(self, found: list[Found]) -> None:
        """Make Web UI look again for each kind of which a file is new since it last looked."""
        for kind in dict.fromkeys(one.need.kind for one in found if one.path is not None):
            files = {_version(one) for one in found if one.need.kind is kind and one.path is not None}
            new = files - self._seen.get(kind, set())
            if not new:
                continue
            if kind is not Kind.CHECKPOINT or not self._lists_all(new):
                _log.info("SD Web UI reads its list of each %s again", kind.value)
                self._lists.refresh(kind)
            self._seen.setdefault(kind, set()).update(files)

    def _lists_all(self, files: set[tuple[str, int]]) -> bool:
        listed = {listed_name(entry) for entry in self._lists.checkpoints()}
        known = {name for name, _ in self._seen.get(Kind.CHECKPOINT, set())}
        # A file that came again under a known name is a new version: its old hash must go.
        return all(name in listed and name not in known for name, _ in files)

    def _listed_own(self) -> str:
        """Return Web UI's name of the runtime's own checkpoint; without it the deployment is broken."""
        for entry in self._lists.checkpoints() if self._selected is None else ():
            if self._own in checkpoint_aliases(entry):
                return listed_name(entry)
        if self._selected is not None:
            return self._selected
        text = f"SD Web UI does not list this runtime's checkpoint {self._own}."
        raise RetryableError(ErrorCode.MODEL_NOT_FOUND, text)

    def _select(self, name: str) -> str:
        if name != self._selected or not self._still_selected(name):
            self._selected = None
            self._webui.post(OPTIONS, {**self._limit, OPTION: name}, seconds=LOAD_SECONDS)
            self._selected = name
            _log.info("SD Web UI uses checkpoint %s from now on", name)
        return PurePosixPath(name).stem

    def _still_selected(self, name: str) -> bool:
        """Tell whether the option is as we left it: a Web UI that was started anew has its first one."""
        try:
            options = self._webui.get(OPTIONS)
        except (PermanentError, RetryableError):
            # One bad option makes the answer a 500 (40-options-get-after-wrong-type).
            return False
        return isinstance(options, dict) and options.get(OPTION) == name


def _version(one: Found) -> tuple[str, int]:
    try:
        return one.name, one.path.stat().st_mtime_ns if one.path else 0
    except OSError:  # it lies where only Web UI sees it
        return one.name, 0


def _without_hash(name: str) -> str:
    return name.rsplit(" [", 1)[0] if name.endswith("]") else name
