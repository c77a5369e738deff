"""Provide the models of tasks: download, protect them while in use, and check that ComfyUI lists them."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.models_in_use import ModelsInUse, fetch
from container.consumer.model_store.bucket import ModelBucket, ModelFile, NotInBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.volume import VolumeTooSmall
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.base import ModelRequirement
from runtimes.comfyui.needs import EMBEDDING_ENDINGS, EMBEDDINGS

log = logging.getLogger(__name__)

MAX_NAME: Final = 200
"""Maximum length of a caller's name that is repeated in an error."""
FREE_MEMORY_SECONDS: Final = 0.2
"""The server frees its memory when its thread for jobs wakes up; a job that arrives sooner runs before."""


Choices = Callable[[ModelRequirement], Sequence[str]]
"""Returns what the server offers for the input that names a model."""


def no_choices(_need: ModelRequirement) -> Sequence[str]:
    """Return nothing: only files count."""
    return ()


@dataclass(frozen=True, slots=True)
class Needed:
    """A model of a task, and its file in the bucket if there is one."""

    requirement: ModelRequirement
    name: str
    file: ModelFile | None = None

    def receipt(self) -> dict[str, Any]:
        """Return what the output document says about the model."""
        etag = {"etag": self.file.etag} if self.file else {}
        return {
            "path": self.requirement.path,
            "folder": self.requirement.folder,
            "name": self.requirement.name,
            **etag,
        }


class Models:
    """Provides the models of tasks; `ensure` may be called while a job runs, `activate` only between jobs.

    `folders` names, for a folder of ComfyUI, the further folders of the bucket that hold its models.
    Without a bucket, only what ComfyUI lists exists.
    """

    def __init__(
        self,
        server: ComfyUi,
        bucket: ModelBucket | None,
        fetcher: Fetcher | None,
        folders: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._server = server
        self._bucket = bucket
        self._fetcher = fetcher
        self._folders = folders
        self._in_use = ModelsInUse()
        self._loaded: dict[str, str] = {}

    def ensure(self, requirements: Iterable[ModelRequirement], choices: Choices = no_choices) -> list[Needed]:
        """Download the models of a task, except those that would need the room of models in use.

        `activate` downloads the latter.

        `choices` are asked about names that are no files: folders of a model, and what a loader has built in.
        Raise PermanentError (`model_not_found`, `model_unusable`, `no_space_for_model`) or RetryableError.
        """
        models = [self._find(requirement) for requirement in requirements]
        present = []
        for model in models:
            try:
                self._fetch(model)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space(model, error) from None
                log.info(
                    "%s is fetched when the task runs, because there is no room for it now: %s",
                    model.name,
                    error.message,
                )
            else:
                present.append(model)
        self._check_listed(present, choices)
        return models

    def activate(self, models: Sequence[Needed]) -> None:
        """Protect the models of the task that runs next, and make the server read replaced ones again."""
        self.release()
        just_fetched = [model for model in models if self._protect_and_fetch(model)]
        self._check_listed(just_fetched, no_choices)
        versions = {model.file.key: model.file.etag for model in models if model.file}
        if any(self._loaded.get(key, etag) != etag for key, etag in versions.items()):
            log.info("a model was replaced under its name: ComfyUI loads it again")
            self.free()
        self._loaded |= versions

    def free(self) -> None:
        """Make the server unload all models and forget all results."""
        self._server.free()
        self._loaded.clear()
        time.sleep(FREE_MEMORY_SECONDS)

    def release(self) -> None:
        """Allow the models of the last task to be evicted."""
        self._in_use.release()

    def refuse(self, models: Iterable[Needed], defect: str) -> None:
        """Remember that ComfyUI could not read a version of a file, if there is only one that it could be."""
        files = [model.file for model in models if model.file]
        if self._fetcher and len(files) == 1:
            self._fetcher.mark_unusable(files[0], defect)

    def listed(self, folders: Iterable[str]) -> dict[str, list[str]]:
        """Return what ComfyUI lists in each of its folders."""
        return {folder: self._server.models(folder) for folder in folders}

    def prepare_shutdown(self) -> None:
        """Stop a running download and prevent further ones."""
        if self._fetcher:
            self._fetcher.stop.set()

    def restore_folders(self) -> None:
        """Create the folders from which ComfyUI reads models: without one, it refuses every workflow."""
        if self._fetcher:
            for name, others in self._folders.items():
                for folder in (name, *others):
                    (self._fetcher.volume.root / folder).mkdir(parents=True, exist_ok=True)

    def _find(self, requirement: ModelRequirement) -> Needed:
        endings = EMBEDDING_ENDINGS if requirement.folder == EMBEDDINGS else ("",)
        if self._bucket is not None:
            for folder in (requirement.folder, *self._folders.get(requirement.folder, ())):
                files = self._bucket.files(folder)
                for ending in endings:
                    if requirement.name + ending in files:
                        return Needed(
                            requirement, requirement.name + ending, files[requirement.name + ending]
                        )
        return Needed(requirement, requirement.name)

    def _check_listed(self, models: Iterable[Needed], choices: Choices) -> None:
        """Raise `model_not_found` unless ComfyUI has the models, before the GPU works for nothing."""
        lists: dict[str, list[str]] = {}
        for model in models:
            folder = model.requirement.folder
            if folder not in lists:
                lists[folder] = self._server.models(folder)
            endings = EMBEDDING_ENDINGS if folder == EMBEDDINGS else ("",)
            if any(model.requirement.name + ending in lists[folder] for ending in endings):
                continue
            offered = choices(model.requirement)
            if model.requirement.name not in offered:
                raise _not_found(model.requirement, [*lists[folder], *offered])

    def _protect_and_fetch(self, model: Needed) -> bool:
        """Protect a file from eviction and fetch it if it is missing; return whether it was missing."""
        if self._fetcher is None or model.file is None:
            return False
        try:
            with self._in_use.protecting(self._fetcher, model.file):
                was_missing = not self._fetcher.volume.has(model.file)
                if was_missing:
                    self._fetch(model)
        except VolumeTooSmall as error:
            if error.permanent:
                raise _no_space(model, error) from None
            raise RetryableError(ErrorCode.NO_SPACE_FOR_MODEL, _no_space(model, error).message) from None
        return was_missing

    def _fetch(self, model: Needed) -> None:
        if self._fetcher is None or model.file is None:
            return
        try:
            fetch(self._fetcher, model.file)
        except NotInBucket:
            raise _not_found(model.requirement, ()) from None


def _not_found(requirement: ModelRequirement, listed: Sequence[str]) -> PermanentError:
    name = requirement.name[:MAX_NAME]
    matches = get_close_matches(name, listed, 1)
    hint = f"; the nearest is {matches[0]!r}" if matches else ""
    text = (
        f"{requirement.path}: there is no {name!r} in {requirement.folder}{hint}. Upper and lower case count."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def _no_space(model: Needed, error: VolumeTooSmall) -> PermanentError:
    text = f"There is no room for {model.requirement.folder}/{model.name[:MAX_NAME]}: {error.message}."
    return PermanentError(ErrorCode.NO_SPACE_FOR_MODEL, text)
