"""Select the checkpoint that SD Web UI uses next, in the way that the recordings show to be safe.

The option is set between jobs, because `POST /options` takes no lock, and during a job it changes the model
between two images (71-job-B). It refuses an unknown name before any work, whereas `override_settings` ignores
it silently (42-*) and, when restored afterwards, loads the old model again for the next job (43-*).
"""

import logging
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.health import MINIMAL
from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.errors import not_shown, shadowed, unapplied
from container.consumer.engines.sdwebui.models.resolver import Found
from container.consumer.engines.sdwebui.models.selection import (
    LOAD_SECONDS,
    OPTION,
    CheckpointSelector,
    Selection,
    without_hash,
)
from container.consumer.engines.sdwebui.models.sent import content_to_send, name_to_send
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.request import PATHS
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import (
    Kind,
    checkpoint_aliases,
    listed_name,
    possible_readings,
    without_extension,
)
from runtimes.sdwebui.named_models import MAIN_CHECKPOINT
from runtimes.sdwebui.task_type import TaskType

UNLOADABLE: Final = "SD Web UI cannot load it"
_UNLISTED: Final = frozenset({Kind.EMBEDDING, Kind.FACE_RESTORER, Kind.UPSCALER})
"""Kinds whose list is checked elsewhere, or does not show what was read."""

_log = logging.getLogger(__name__)


class Models:
    """Provides the models of a task where SD Web UI finds them, and selects its checkpoint.

    `own` is the runtime's `MODEL_FILENAME`; a runtime that is not `dynamic` serves no other one. `in_memory`
    is how many checkpoints SD Web UI keeps loaded; 0 leaves that to its own settings. `same_process` returns
    True if SD Web UI is certainly the process that ran the last job.
    """

    def __init__(
        self,
        store: ModelStore,
        webui: WebUiApi,
        *,
        own: str,
        dynamic: bool,
        in_memory: int = 0,
        same_process: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._webui = webui
        self._lists = EngineModelLists(webui)
        self._own = own
        self._dynamic = dynamic
        self._selector = CheckpointSelector(webui, in_memory=in_memory, same_process=same_process)
        self._own_listed: str | None = None
        self._has_switched = False
        self._unapplied: set[tuple[str, int]] = set()
        self._active: list[Found] = []
        self._seen: dict[Kind, set[tuple[str, int]]] = {}

    @property
    def selection(self) -> Selection | None:
        """Return the checkpoint that is selected for the next job, None if none was."""
        return self._selector.current

    def was_changed(self, selection: Selection) -> bool:
        """Return whether another checkpoint may have been used because something else selected it."""
        return self._selector.was_changed(selection)

    def ensure(self, content: dict[str, Any]) -> dict[str, Any]:
        """Fetch missing models while another job may run.

        Return the content as it must be sent, with the names under which SD Web UI lists the models.
        """
        return content_to_send(
            content, self._store.ensure(self._with_allowed_checkpoint(content)), self._lists.once()
        )

    def switch(self, content: dict[str, Any]) -> str | None:
        """Make SD Web UI use the task's checkpoint; called between jobs.

        Return what `info.sd_model_name` must be afterwards, or None if any is right.
        """
        self._active = []
        self._active = self._store.activate(self._with_allowed_checkpoint(content))
        self._show(self._active)
        self._check_embeddings(self._active)
        named = next((one for one in self._active if one.need.path == MAIN_CHECKPOINT), None)
        if named is not None:
            return self._select(named.name)
        if self._own:
            return self._select(self._listed_own())
        name = (content.get("alwayson_scripts") or {}).get(OPTION)
        # A static runtime without MODEL_FILENAME: the checkpoint that SD Web UI was started with must be
        # reported.
        return PurePosixPath(without_hash(name)).name.removesuffix(".safetensors") if name else None

    def failed(self, fault: Exception) -> None:
        """Record that a job failed, because SD Web UI may be unable to load its checkpoint."""
        if isinstance(fault, PermanentError) and fault.code is ErrorCode.MODEL_UNUSABLE:
            named = [one for one in self._active if one.need.kind is Kind.CHECKPOINT and one.need.required]
            if len(named) == 1:  # of two checkpoints one is broken, and the response does not say which
                self._store.refuse(named, UNLOADABLE)

    def prepare_shutdown(self) -> None:
        """Stop a running download because the worker shuts down."""
        self._store.prepare_shutdown()

    def _with_allowed_checkpoint(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content with a checkpoint only if this runtime switches checkpoints."""
        scripts = content.get("alwayson_scripts")
        name = scripts.get(OPTION) if isinstance(scripts, dict) else None
        if self._dynamic or not name or not isinstance(scripts, dict):
            return content
        read = possible_readings(Kind.CHECKPOINT, name)
        served = [digits for one, digits in read if one in (self._own, without_extension(self._own))]
        if self._own and not served:
            text = f"{MAIN_CHECKPOINT}: this runtime serves {self._own} and no other checkpoint."
            raise PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
        if any(served):  # named with a hash, which is then compared with the file's
            return content
        return {**content, "alwayson_scripts": {k: v for k, v in scripts.items() if k != OPTION}}

    def _show(self, found: list[Found]) -> None:
        """Refresh and check SD Web UI's list of each kind with files that are new since the last refresh."""
        for kind in dict.fromkeys(one.need.kind for one in found if one.path is not None):
            files = {_version(one) for one in found if one.need.kind is kind and one.path is not None}
            new = files - self._seen.get(kind, set())
            if not new:
                continue
            if kind is Kind.EMBEDDING:
                self._note_unapplied(new)
            if kind is not Kind.CHECKPOINT or not self._lists_all(new):
                _log.info("refreshing SD Web UI's list of models of kind %s", kind.value)
                self._lists.refresh(kind)
            self._check_shown(kind, [one for one in found if one.need.kind is kind and _version(one) in new])
            self._seen.setdefault(kind, set()).update(files)

    def _note_unapplied(self, new: set[tuple[str, int]]) -> None:
        """Remember new embeddings on Forge, which applies them only after it loads a checkpoint.

        After a refresh it lists them, but treats their names as plain words.
        """
        listed = self._lists.embeddings()
        if listed is not None and self._lists.is_forge:
            self._unapplied |= {one for one in new if PurePosixPath(one[0]).stem.lower() not in listed}

    def _check_embeddings(self, found: list[Found]) -> None:
        """Make Forge load another checkpoint before the task's own if that is needed to apply embeddings."""
        not_applied = [
            one for one in found if one.need.kind is Kind.EMBEDDING and _version(one) in self._unapplied
        ]
        if not not_applied:
            return
        selected = self.selection.name if self.selection else None
        for entry in self._lists.checkpoints():
            other = listed_name(entry)
            if other not in (selected, self._own, *(one.name for one in found)):
                _log.info(
                    "loading %s, so that SD Web UI reads its embeddings with the next checkpoint", other
                )
                self._selector.set(other)
                self._webui.post(PATHS[TaskType.TEXT_TO_IMAGE], MINIMAL, seconds=LOAD_SECONDS)
                self._unapplied.clear()
                return
        raise unapplied(not_applied[0].need.name, path=not_applied[0].need.path)

    def _check_shown(self, kind: Kind, found: list[Found]) -> None:
        """Raise PermanentError unless SD Web UI lists each file, because it ignores unknown names."""
        lists = self._lists.once()
        if kind is Kind.CHECKPOINT:
            known = {listed_name(entry): str(entry.get("filename") or "") for entry in lists.checkpoints()}
        else:
            listed = lists.named(kind) if kind not in _UNLISTED else None
            if listed is None:
                return
            known = {entry.name: entry.path for entry in listed}
        for one in found:
            if not one.need.required:
                continue
            name = name_to_send(one, lists)
            if name not in known:
                folder = one.file.folder if one.file else kind.folders[0]
                raise not_shown(kind, one.need.name, folder, path=one.need.path)
            if not _is_at(known[name], one):
                raise shadowed(kind, one.need.name, known[name], path=one.need.path)

    def _lists_all(self, files: set[tuple[str, int]]) -> bool:
        listed = {listed_name(entry) for entry in self._lists.checkpoints()}
        known = {name for name, _ in self._seen.get(Kind.CHECKPOINT, set())}
        # A file that was added again under a known name is a new version, so its old hash must be replaced.
        return all(name in listed and name not in known for name, _ in files)

    def _listed_own(self) -> str:
        """Return SD Web UI's name of the runtime's own checkpoint; without it the deployment is broken."""
        if self._own_listed is None:
            for entry in self._lists.checkpoints():
                if self._own in checkpoint_aliases(entry):
                    self._own_listed = listed_name(entry)
                    break
            else:
                text = f"SD Web UI does not list this runtime's checkpoint {self._own}."
                raise RetryableError(ErrorCode.MODEL_NOT_FOUND, text)
        return self._own_listed

    def _select(self, name: str) -> str:
        if not self._selector.is_selected(name):
            if not self._selector.select(name):
                raise self._unloaded(name)
            self._has_switched = True
            _log.info("SD Web UI now uses checkpoint %s", name)
        return PurePosixPath(name).stem

    def _unloaded(self, name: str) -> PermanentError | RetryableError:
        """Return the error for a checkpoint that SD Web UI did not load.

        An SD Web UI without any checkpoint may still be loading its first one, and then a second load fails
        through no fault of the file; otherwise the failure is remembered.
        """
        if not self._has_switched:
            text = f"SD Web UI did not load {name}; it may not have loaded its first checkpoint yet."
            return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
        self._store.refuse((one for one in self._active if one.name == name), UNLOADABLE)
        return PermanentError(ErrorCode.MODEL_UNUSABLE, f"{name} is unusable: {UNLOADABLE}.")


def _version(one: Found) -> tuple[str, int]:
    try:
        return one.name, one.path.stat().st_mtime_ns if one.path else 0
    except OSError:  # only SD Web UI can see the file
        return one.name, 0


def _is_at(listed: str, one: Found) -> bool:
    """Return whether a listed model is this file and not one with the same name in another folder."""
    return not listed or not one.path or f"/{listed}".endswith(f"/{one.name}") or listed == str(one.path)
