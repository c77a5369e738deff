"""The models of tasks: downloaded from the bucket, protected while in use, and listed by ComfyUI."""

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
FREED_SECONDS: Final = 0.2
"""The server frees its memory when its thread for jobs wakes up; a job that arrives sooner runs before."""


Choices = Callable[[ModelRequirement], Sequence[str]]
"""Returns what the server offers for the input that names a model."""


def no_choices(_need: ModelRequirement) -> Sequence[str]:
    """Return nothing: only files count."""
    return ()


@dataclass(frozen=True, slots=True)
class Needed:
    """A model of a task, and its file in the bucket if it has one."""

    need: ModelRequirement
    name: str
    file: ModelFile | None = None

    def receipt(self) -> dict[str, Any]:
        """Return what the output document says about the model."""
        etag = {"etag": self.file.etag} if self.file else {}
        return {"path": self.need.path, "folder": self.need.folder, "name": self.need.name, **etag}


class Models:
    """Provides the models of tasks; `ensure` may be called while a job runs, `activate` only between jobs.

    `folders` are the further folders of the bucket that hold the models of one of ComfyUI's folders. Without
    a bucket, only what ComfyUI lists exists.
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

    def ensure(self, needs: Iterable[ModelRequirement], choices: Choices = no_choices) -> list[Needed]:
        """Download the models of a task as far as there is room beside those in use.

        `choices` are asked about names that are no files: folders of a model, and what a loader has built in.
        Raise PermanentError (`model_not_found`, `model_unusable`, `no_space_for_model`) or RetryableError.
        """
        found = [self._find(need) for need in needs]
        present = []
        for one in found:
            try:
                self._fetch(one)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space(one, error) from None
                log.info("%s is fetched later, when there is room: %s", one.name, error.message)
            else:
                present.append(one)
        self._check_listed(present, choices)
        return found

    def activate(self, found: Sequence[Needed]) -> None:
        """Protect the models of the task that runs next, and make the server read replaced ones again."""
        self.release()
        late = [one for one in found if self._keep(one)]
        self._check_listed(late, no_choices)
        versions = {one.file.key: one.file.etag for one in found if one.file}
        if any(self._loaded.get(key, etag) != etag for key, etag in versions.items()):
            log.info("a model was replaced under its name: ComfyUI loads it again")
            self.free()
        self._loaded |= versions

    def free(self) -> None:
        """Make the server unload all models and forget all results."""
        self._server.free()
        self._loaded.clear()
        time.sleep(FREED_SECONDS)

    def release(self) -> None:
        """Allow the models of the last task to be evicted."""
        self._in_use.release()

    def refuse(self, found: Iterable[Needed], defect: str) -> None:
        """Remember that ComfyUI could not load a version of a file, if the task has only one."""
        files = [one.file for one in found if one.file]
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
        """Make the folders exist from which ComfyUI reads models: without one it refuses every workflow."""
        if self._fetcher:
            for name, others in self._folders.items():
                for folder in (name, *others):
                    (self._fetcher.volume.root / folder).mkdir(parents=True, exist_ok=True)

    def _find(self, need: ModelRequirement) -> Needed:
        endings = EMBEDDING_ENDINGS if need.folder == EMBEDDINGS else ("",)
        if self._bucket is not None:
            for folder in (need.folder, *self._folders.get(need.folder, ())):
                files = self._bucket.files(folder)
                for ending in endings:
                    if need.name + ending in files:
                        return Needed(need, need.name + ending, files[need.name + ending])
        return Needed(need, need.name)

    def _check_listed(self, found: Iterable[Needed], choices: Choices) -> None:
        """Raise `model_not_found` unless ComfyUI has the models, before the GPU works for nothing."""
        lists: dict[str, list[str]] = {}
        for one in found:
            folder = one.need.folder
            if folder not in lists:
                lists[folder] = self._server.models(folder)
            endings = EMBEDDING_ENDINGS if folder == EMBEDDINGS else ("",)
            if any(one.need.name + ending in lists[folder] for ending in endings):
                continue
            offered = choices(one.need)
            if one.need.name not in offered:
                raise _not_found(one.need, [*lists[folder], *offered])

    def _keep(self, one: Needed) -> bool:
        """Protect a file from eviction and fetch it if need be; return whether it was missing."""
        if self._fetcher is None or one.file is None:
            return False
        try:
            with self._in_use.protecting(self._fetcher, one.file):
                missing = not self._fetcher.volume.has(one.file)
                if missing:
                    self._fetch(one)
        except VolumeTooSmall as error:
            if error.permanent:
                raise _no_space(one, error) from None
            raise RetryableError(ErrorCode.NO_SPACE_FOR_MODEL, _no_space(one, error).message) from None
        return missing

    def _fetch(self, one: Needed) -> None:
        if self._fetcher is None or one.file is None:
            return
        try:
            fetch(self._fetcher, one.file)
        except NotInBucket:
            raise _not_found(one.need, ()) from None


def _not_found(need: ModelRequirement, listed: Sequence[str]) -> PermanentError:
    name = need.name[:MAX_NAME]
    near = get_close_matches(name, listed, 1)
    hint = f"; the nearest is {near[0]!r}" if near else ""
    text = f"{need.path}: there is no {name!r} in {need.folder}{hint}. Upper and lower case count."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def _no_space(one: Needed, error: VolumeTooSmall) -> PermanentError:
    text = f"There is no room for {one.need.folder}/{one.name[:MAX_NAME]}: {error.message}."
    return PermanentError(ErrorCode.NO_SPACE_FOR_MODEL, text)
