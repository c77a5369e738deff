"""Provide a task's models on the volume: fetch, verify, and protect them while the task runs."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final

from container.consumer.engines.models_in_use import ModelsInUse, fetch
from container.consumer.engines.sdwebui.models.errors import MAX_NAME, model_not_found
from container.consumer.engines.sdwebui.models.required import required_models
from container.consumer.engines.sdwebui.models.resolver import (
    OLD_HASH_DIGITS,
    ModelResolver,
    ResolvedModel,
    wrong_hash,
)
from container.consumer.model_store.bucket import NotInBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.integrity import defect_of, old_hash_of, sha256_of
from container.consumer.model_store.volume import VolumeTooSmall
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.named_models import joined_prompts

MAX_RESOLVED_TASKS: Final = 32
"""For how many waiting tasks the result of the lookup is kept, so that no second one delays their jobs. A
consumer prepares only a few tasks ahead."""

_log = logging.getLogger(__name__)


class ModelStore:
    """Finds and fetches the models of tasks; `ensure` may be called from any thread while a job runs."""

    def __init__(self, resolver: ModelResolver, fetcher: Fetcher | None) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._in_use = ModelsInUse()
        self._lock = threading.Lock()
        self._resolved: OrderedDict[Hashable, list[ResolvedModel]] = OrderedDict()
        self._hashes: dict[tuple[str, int], str] = {}  # by path and time of modification

    def ensure(self, content: dict[str, Any]) -> list[ResolvedModel]:
        """Fetch the models of a task, unless they need the room of models in use: `activate` fetches those.

        Raise PermanentError (`model_not_found`, `model_unusable`, `no_space_for_model`) or RetryableError.
        """
        models = self._resolver.find(content)
        with self._lock:
            self._resolved[_models_key(content)] = models
            while len(self._resolved) > MAX_RESOLVED_TASKS:
                self._resolved.popitem(last=False)
        for model in models:
            try:
                self._fetch(model)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space_error(model, error) from None
                _log.info(
                    "%s is fetched when the task runs, because there is no room for it now: %s",
                    model.name,
                    error.message,
                )
        return models

    def activate(self, content: dict[str, Any]) -> list[ResolvedModel]:
        """Fetch all models of the task that runs next, and protect them until the next call.

        Call this between jobs, because the models of the previous task are no longer protected.
        """
        self.release()
        with self._lock:
            models = self._resolved.pop(_models_key(content), None)
        if models is None:
            models = self._resolver.find(content)
        for model in models:
            try:
                self._fetch_and_protect(model)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space_error(model, error) from None
                # Another consumer of this volume uses the rest of it, which is temporary.
                raise RetryableError(
                    ErrorCode.NO_SPACE_FOR_MODEL, _no_space_error(model, error).message
                ) from None
        return models

    def release(self) -> None:
        """Allow the models of the last task to be evicted."""
        self._in_use.release()

    def prepare_shutdown(self) -> None:
        """Stop a running download and prevent further ones."""
        if self._fetcher:
            self._fetcher.stop.set()

    def mark_unusable(self, models: Iterable[ResolvedModel], defect: str) -> None:
        """Refuse these versions of files from now on, because SD Web UI could not load them."""
        for model in models:
            if self._fetcher and model.file:
                self._fetcher.mark_unusable(model.file, defect)

    def _fetch_and_protect(self, model: ResolvedModel) -> None:
        if self._fetcher is None or model.file is None:
            self._fetch(model)
            return
        with self._in_use.protecting(self._fetcher, model.file):
            self._fetch(model)

    def _fetch(self, model: ResolvedModel) -> None:
        """Provide one model where SD Web UI finds it, usable and with the hash that the task names."""
        if self._fetcher is not None and model.file is not None:
            try:
                fetch(self._fetcher, model.file)
            except NotInBucket:
                raise model_not_found(
                    model.requirement.kind, model.requirement.name, (), path=model.requirement.path
                ) from None
        elif (
            model.path is not None
            and model.path.is_file()
            and (defect := defect_of(model.path, name=model.path.name))
        ):
            raise PermanentError(ErrorCode.MODEL_UNUSABLE, f"{model.name} is unusable: {defect}.")
        if model.hash and model.path is not None and model.requirement.kind is Kind.CHECKPOINT:
            self._check_hash(model, model.path)

    def _check_hash(self, model: ResolvedModel, path: Path) -> None:
        if len(model.hash) == OLD_HASH_DIGITS:
            file_hash = old_hash_of(path)
        else:
            key = str(path), path.stat().st_mtime_ns
            if key not in self._hashes:
                self._hashes[key] = sha256_of(path)
            file_hash = self._hashes[key]
        if not file_hash.startswith(model.hash):
            raise wrong_hash(model)


def _models_key(content: dict[str, Any]) -> Hashable:
    """Return a key for everything that a content's models depend on."""
    return joined_prompts(content), *required_models(content)


def _no_space_error(model: ResolvedModel, error: VolumeTooSmall) -> PermanentError:
    text = f"There is no room for {model.requirement.kind.value} {model.name[:MAX_NAME]}: {error.message}."
    return PermanentError(ErrorCode.NO_SPACE_FOR_MODEL, text)
