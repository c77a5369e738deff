"""Provide a task's models on the volume: fetch, verify, and protect them while the task runs."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final

from container.consumer.engines.models_in_use import ModelsInUse, fetch
from container.consumer.engines.sdwebui.models.errors import MAX_NAME, not_found
from container.consumer.engines.sdwebui.models.required import required_models
from container.consumer.engines.sdwebui.models.resolver import Found, ModelResolver, wrong_hash
from container.consumer.model_store.bucket import NotInBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.integrity import defect_of, old_hash_of, sha256_of
from container.consumer.model_store.volume import VolumeTooSmall
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.named_models import joined_prompts

PREPARED: Final = 32
"""How many tasks with models that were looked up can wait to run, so that the GPU does not wait for another
lookup."""

OLD_HASH_DIGITS: Final = 8

_log = logging.getLogger(__name__)


class ModelStore:
    """Finds and fetches the models of tasks; `ensure` may be called from any thread while a job runs."""

    def __init__(self, resolver: ModelResolver, fetcher: Fetcher | None) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._in_use = ModelsInUse()
        self._lock = threading.Lock()
        self._prepared: OrderedDict[Hashable, list[Found]] = OrderedDict()
        self._hashes: dict[tuple[str, int], str] = {}

    def ensure(self, content: dict[str, Any]) -> list[Found]:
        """Fetch the models of a task as far as there is room beside those in use; `activate` does the rest.

        Raise PermanentError (`model_not_found`, `model_unusable`, `no_space_for_model`) or RetryableError.
        """
        found = self._resolver.find(content)
        with self._lock:
            self._prepared[_key(content)] = found
            while len(self._prepared) > PREPARED:
                self._prepared.popitem(last=False)
        for one in found:
            try:
                self._fetch(one)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space(one, error) from None
                _log.info("%s is fetched later, when there is room: %s", one.name, error.message)
        return found

    def activate(self, content: dict[str, Any]) -> list[Found]:
        """Fetch all models of the task that runs next, and protect them until another one is activated.

        Call this between jobs, because the models of the previous task are no longer protected.
        """
        self.release()
        with self._lock:
            found = self._prepared.pop(_key(content), None)
        if found is None:
            found = self._resolver.find(content)
        for one in found:
            try:
                self._keep(one)
            except VolumeTooSmall as error:
                if error.permanent:
                    raise _no_space(one, error) from None
                # Another consumer of this volume uses the rest, which is temporary.
                raise RetryableError(ErrorCode.NO_SPACE_FOR_MODEL, _no_space(one, error).message) from None
        return found

    def release(self) -> None:
        """Allow the models of the last task to be evicted."""
        self._in_use.release()

    def prepare_shutdown(self) -> None:
        """Stop a running download and prevent further ones."""
        if self._fetcher:
            self._fetcher.stop.set()

    def refuse(self, found: Iterable[Found], defect: str) -> None:
        """Remember that SD Web UI could not load these versions of files."""
        for one in found:
            if self._fetcher and one.file:
                self._fetcher.mark_unusable(one.file, defect)

    def _keep(self, one: Found) -> None:
        if self._fetcher is None or one.file is None:
            self._fetch(one)
            return
        with self._in_use.protecting(self._fetcher, one.file):
            self._fetch(one)

    def _fetch(self, one: Found) -> None:
        """Provide one model where SD Web UI finds it, usable and with the hash that the task names."""
        if self._fetcher is not None and one.file is not None:
            try:
                fetch(self._fetcher, one.file)
            except NotInBucket:
                raise not_found(one.need.kind, one.need.name, (), path=one.need.path) from None
        elif (
            one.path is not None
            and one.path.is_file()
            and (defect := defect_of(one.path, name=one.path.name))
        ):
            raise PermanentError(ErrorCode.MODEL_UNUSABLE, f"{one.name} is unusable: {defect}.")
        if one.hash and one.path is not None and one.need.kind is Kind.CHECKPOINT:
            self._check_hash(one, one.path)

    def _check_hash(self, one: Found, path: Path) -> None:
        if len(one.hash) == OLD_HASH_DIGITS:
            digits = old_hash_of(path)
        else:
            key = str(path), path.stat().st_mtime_ns
            if key not in self._hashes:
                self._hashes[key] = sha256_of(path)
            digits = self._hashes[key]
        if not digits.startswith(one.hash):
            raise wrong_hash(one)


def _key(content: dict[str, Any]) -> Hashable:
    """Return a key for everything that a content's models depend on."""
    return joined_prompts(content), *required_models(content)


def _no_space(one: Found, error: VolumeTooSmall) -> PermanentError:
    text = f"There is no room for {one.need.kind.value} {one.name[:MAX_NAME]}: {error.message}."
    return PermanentError(ErrorCode.NO_SPACE_FOR_MODEL, text)
