"""Make a task's models usable by SD Web UI, and select its checkpoint in the way that is safe.

The checkpoint is an option of SD Web UI, which is set between jobs: `POST /options` takes no lock, and during
a job it changes the model between two images (71-job-B in tests/contract/recordings). It refuses an unknown
name before any work, whereas `override_settings` ignores it silently (42-*) and, when restored afterwards,
loads the old model again for the next job (43-*).
"""

import logging
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final

from container.consumer.engines.sdwebui.health import MINIMAL_JOB
from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.errors import (
    embedding_not_applied,
    model_not_listed,
    name_of_other_file,
)
from container.consumer.engines.sdwebui.models.renaming import content_to_send, name_to_send
from container.consumer.engines.sdwebui.models.resolver import ResolvedModel
from container.consumer.engines.sdwebui.models.selection import (
    CHECKPOINT_OPTION,
    LOAD_SECONDS,
    CheckpointSelector,
    Selection,
    remove_hash,
)
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
_KINDS_NOT_CHECKED: Final = frozenset({Kind.EMBEDDING, Kind.FACE_RESTORER, Kind.UPSCALER})
"""Kinds whose list is checked elsewhere, or does not show what was read."""

FileVersion = tuple[str, int]
"""The name of a model's file and the time when it was modified (ns since 1970)."""

_log = logging.getLogger(__name__)


class ModelManager:
    """Provides the models of a task where SD Web UI finds them, and selects its checkpoint.

    `own_checkpoint` is the runtime's `MODEL_FILENAME`; a runtime that is not `dynamic` serves no other
    checkpoint. `in_memory` is how many checkpoints SD Web UI keeps loaded; 0 leaves that to its own settings.
    `is_same_process` returns True if SD Web UI is certainly the process that ran the last job.
    """

    def __init__(
        self,
        store: ModelStore,
        webui: WebUiApi,
        *,
        own_checkpoint: str,
        dynamic: bool,
        in_memory: int = 0,
        is_same_process: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._webui = webui
        self._lists = EngineModelLists(webui)
        self._own_checkpoint = own_checkpoint
        self._is_dynamic = dynamic
        self._selector = CheckpointSelector(webui, in_memory=in_memory, is_same_process=is_same_process)
        self._own_listed_name: str | None = None
        self._has_switched = False
        self._unapplied_embeddings: set[FileVersion] = set()
        self._active: list[ResolvedModel] = []
        self._listed_files: dict[Kind, set[FileVersion]] = {}
        """The files that SD Web UI certainly lists, because they were checked after a refresh."""

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
            content, self._store.ensure(self._check_checkpoint(content)), self._lists.cached()
        )

    def switch(self, content: dict[str, Any]) -> str | None:
        """Make SD Web UI use the task's checkpoint; called between jobs.

        Return what `info.sd_model_name` must be afterwards, or None if any is right.
        """
        self._active = []
        self._active = self._store.activate(self._check_checkpoint(content))
        self._refresh_lists(self._active)
        self._apply_new_embeddings(self._active)
        checkpoint = next(
            (model for model in self._active if model.requirement.path == MAIN_CHECKPOINT), None
        )
        if checkpoint is not None:
            return self._select(checkpoint.name)
        if self._own_checkpoint:
            return self._select(self._own_checkpoint_name())
        name = (content.get("alwayson_scripts") or {}).get(CHECKPOINT_OPTION)
        # A static runtime without MODEL_FILENAME: SD Web UI keeps the checkpoint that it was started with,
        # and the task may only name that one.
        return PurePosixPath(remove_hash(name)).name.removesuffix(".safetensors") if name else None

    def failed(self, error: Exception) -> None:
        """Mark the checkpoint of the last job unusable if SD Web UI failed to load it."""
        if isinstance(error, PermanentError) and error.code is ErrorCode.MODEL_UNUSABLE:
            checkpoints = [
                model
                for model in self._active
                if model.requirement.kind is Kind.CHECKPOINT and model.requirement.is_required
            ]
            if len(checkpoints) == 1:  # the response does not say which of two checkpoints is broken
                self._store.mark_unusable(checkpoints, UNLOADABLE)

    def prepare_shutdown(self) -> None:
        """Stop a running download because the worker shuts down."""
        self._store.prepare_shutdown()

    def _check_checkpoint(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content without its checkpoint if that is the only one that this runtime serves.

        Raise PermanentError if the runtime serves another one.
        """
        scripts = content.get("alwayson_scripts")
        name = scripts.get(CHECKPOINT_OPTION) if isinstance(scripts, dict) else None
        if self._is_dynamic or not name or not isinstance(scripts, dict):
            return content
        own_names = (self._own_checkpoint, without_extension(self._own_checkpoint))
        hashes = [
            wanted_hash
            for wanted, wanted_hash in possible_readings(Kind.CHECKPOINT, name)
            if wanted in own_names
        ]
        if self._own_checkpoint and not hashes:
            text = f"{MAIN_CHECKPOINT}: this runtime serves {self._own_checkpoint} and no other checkpoint."
            raise PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
        if any(hashes):  # the hash is compared with the file's when the model is fetched
            return content
        return {
            **content,
            "alwayson_scripts": {key: value for key, value in scripts.items() if key != CHECKPOINT_OPTION},
        }

    def _refresh_lists(self, models: list[ResolvedModel]) -> None:
        """Refresh and check SD Web UI's list of each kind of which a file is new since the last refresh."""
        for kind in dict.fromkeys(model.requirement.kind for model in models if model.path is not None):
            files = {
                _version(model)
                for model in models
                if model.requirement.kind is kind and model.path is not None
            }
            new_files = files - self._listed_files.get(kind, set())
            if not new_files:
                continue
            if kind is Kind.EMBEDDING:
                self._note_unapplied_embeddings(new_files)
            if kind is not Kind.CHECKPOINT or not self._are_all_listed(new_files):
                _log.info("refreshing SD Web UI's list of models of kind %s", kind.value)
                self._lists.refresh(kind)
            self._check_are_listed(
                kind,
                [
                    model
                    for model in models
                    if model.requirement.kind is kind and _version(model) in new_files
                ],
            )
            self._listed_files.setdefault(kind, set()).update(files)

    def _note_unapplied_embeddings(self, new_files: set[FileVersion]) -> None:
        """Remember new embeddings on Forge, which applies them only after it loads a checkpoint.

        After a refresh it lists them, but treats their names as plain words.
        """
        listed = self._lists.embeddings()
        if listed is not None and self._lists.is_forge:
            self._unapplied_embeddings |= {
                file for file in new_files if PurePosixPath(file[0]).stem.lower() not in listed
            }

    def _apply_new_embeddings(self, models: list[ResolvedModel]) -> None:
        """Make Forge load another checkpoint before the task's own if that is needed to apply embeddings."""
        not_applied = [
            model
            for model in models
            if model.requirement.kind is Kind.EMBEDDING and _version(model) in self._unapplied_embeddings
        ]
        if not not_applied:
            return
        selected = self.selection.name if self.selection else None
        for entry in self._lists.checkpoints():
            other = listed_name(entry)
            if other not in (selected, self._own_checkpoint, *(model.name for model in models)):
                _log.info(
                    "loading %s, so that SD Web UI reads its embeddings with the next checkpoint", other
                )
                self._selector.select_unchecked(other)
                self._webui.post(PATHS[TaskType.TEXT_TO_IMAGE], MINIMAL_JOB, seconds=LOAD_SECONDS)
                self._unapplied_embeddings.clear()
                return
        raise embedding_not_applied(not_applied[0].requirement.name, path=not_applied[0].requirement.path)

    def _check_are_listed(self, kind: Kind, models: list[ResolvedModel]) -> None:
        """Raise PermanentError unless SD Web UI lists each file, because it ignores unknown names."""
        lists = self._lists.cached()
        if kind is Kind.CHECKPOINT:
            paths_by_name = {
                listed_name(entry): str(entry.get("filename") or "") for entry in lists.checkpoints()
            }
        else:
            listed = lists.models(kind) if kind not in _KINDS_NOT_CHECKED else None
            if listed is None:
                return
            paths_by_name = {entry.name: entry.path for entry in listed}
        for model in models:
            if not model.requirement.is_required:
                continue
            name = name_to_send(model, lists)
            if name not in paths_by_name:
                folder = model.file.folder if model.file else kind.folders[0]
                raise model_not_listed(kind, model.requirement.name, folder, path=model.requirement.path)
            if not _is_same_file(paths_by_name[name], model):
                raise name_of_other_file(
                    kind, model.requirement.name, paths_by_name[name], path=model.requirement.path
                )

    def _are_all_listed(self, files: set[FileVersion]) -> bool:
        listed = {listed_name(entry) for entry in self._lists.checkpoints()}
        known_names = {name for name, _ in self._listed_files.get(Kind.CHECKPOINT, set())}
        # A known name with a new version needs a refresh too, because SD Web UI lists the old version's hash.
        return all(name in listed and name not in known_names for name, _ in files)

    def _own_checkpoint_name(self) -> str:
        """Return SD Web UI's name of the runtime's own checkpoint; without it the deployment is broken."""
        if self._own_listed_name is None:
            for entry in self._lists.checkpoints():
                if self._own_checkpoint in checkpoint_aliases(entry):
                    self._own_listed_name = listed_name(entry)
                    break
            else:
                text = f"SD Web UI does not list this runtime's checkpoint {self._own_checkpoint}."
                raise RetryableError(ErrorCode.MODEL_NOT_FOUND, text)
        return self._own_listed_name

    def _select(self, name: str) -> str:
        if not self._selector.is_selected(name):
            if not self._selector.select(name):
                raise self._not_loaded_error(name)
            self._has_switched = True
            _log.info("SD Web UI now uses checkpoint %s", name)
        return PurePosixPath(name).stem

    def _not_loaded_error(self, name: str) -> PermanentError | RetryableError:
        """Return the error for a checkpoint that SD Web UI did not load.

        An SD Web UI without any checkpoint may still be loading its first one, and then a second load fails
        through no fault of the file; otherwise the failure is remembered.
        """
        if not self._has_switched:
            text = f"SD Web UI did not load {name}; it may not have loaded its first checkpoint yet."
            return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
        self._store.mark_unusable((model for model in self._active if model.name == name), UNLOADABLE)
        return PermanentError(ErrorCode.MODEL_UNUSABLE, f"{name} is unusable: {UNLOADABLE}.")


def _version(model: ResolvedModel) -> FileVersion:
    try:
        return model.name, model.path.stat().st_mtime_ns if model.path else 0
    except OSError:  # only SD Web UI can see the file
        return model.name, 0


def _is_same_file(listed_path: str, model: ResolvedModel) -> bool:
    """Return whether a listed model may be this file, and not one with the same name in another folder."""
    return (
        not listed_path
        or not model.path
        or f"/{listed_path}".endswith(f"/{model.name}")
        or listed_path == str(model.path)
    )
