"""Where a task's models are: the model bucket, the volume, or SD Web UI itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import (
    EngineModelLists,
    names_of,
)
from container.consumer.engines.sdwebui.models.errors import ambiguous, not_found
from container.consumer.engines.sdwebui.models.required import ModelRequirement, needs, prompts
from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.integrity import old_hash_of
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import (
    CHECKPOINT_FOLDER,
    Ambiguous,
    Kind,
    aliases,
    checkpoint_aliases,
    forms,
    is_hash,
    listed_name,
    match,
)

_BESIDE = (".yaml", ".vae.safetensors", ".vae.pt", ".vae.ckpt")
"""What belongs to a checkpoint and lies beside it: its configuration, its own VAE."""


@dataclass(frozen=True, slots=True)
class Found:
    """Say where one needed model is. `name` is relative to its folder, or Web UI's own name for it."""

    need: ModelRequirement
    name: str
    file: ModelFile | None = None
    """In the bucket; None: fetching it is not possible or not needed."""
    path: Path | None = None
    """Where it lies when it is there: on the volume, or where Web UI says."""
    hash: str = ""
    """The digits that the task named beside it."""


class ModelResolver:
    """Look up what a task names. Without a bucket, what Web UI lists is what exists."""

    def __init__(self, bucket: ModelBucket | None, volume: Volume | None, lists: EngineModelLists) -> None:
        self._bucket = bucket
        self._volume = volume
        self._lists = lists

    def find(self, content: dict[str, Any]) -> list[Found]:
        """Return all models of a task.

        Raise PermanentError for a model that is nowhere, RetryableError when S3 does not answer.
        """
        lists = self._lists.once()
        found: list[Found] = []
        for need in needs(content):
            found += self._find(need, lists)
        return found + list(self._embeddings(prompts(content)))

    def _find(self, need: ModelRequirement, lists: EngineModelLists) -> list[Found]:
        if need.kind is Kind.FACE_RESTORER:
            return [Found(need, f.name, f, self._place(f)) for f in self._in_bucket(need.kind)]
        try:
            if need.kind is Kind.UPSCALER:
                return self._upscaler(need, lists)
            one = self._stored(need) or self._listed(need, lists)
        except Ambiguous as several:
            raise ambiguous(need.kind, need.name, several.names, path=need.path) from None
        if one is not None:
            return [one, *self._beside(one)]
        if not need.required:
            return []
        raise self._missing(need, lists)

    def _stored(self, need: ModelRequirement) -> Found | None:
        """Find a model in the bucket, else on the volume. What S3 does not tell now may lie there."""
        if self._bucket is None or self._volume is None:
            return None
        trouble: RetryableError | None = None
        for wanted, digits in forms(need.kind, need.name):
            try:
                file = self._match(need.kind, wanted)
            except RetryableError as fault:
                trouble, file = fault, None
            if file is not None:
                return Found(need, file.name, file, self._place(file), digits)
            for folder in need.kind.folders:
                name = match(need.kind, wanted, self._volume.names(need.kind, folder))
                if name is not None:
                    return Found(need, name, None, self._volume.root / folder / name, digits)
        if need.kind is Kind.CHECKPOINT and is_hash(need.name):
            return self._by_old_hash(need)
        if trouble is not None:
            raise trouble
        return None

    def _by_old_hash(self, need: ModelRequirement) -> Found | None:
        """Find a checkpoint of the volume by the digits of early Web UIs."""
        volume = self._volume
        if volume is None or len(need.name) != 8:  # noqa: PLR2004 - the early hash's digits
            return None
        for name in volume.names(Kind.CHECKPOINT, CHECKPOINT_FOLDER):
            path = volume.root / CHECKPOINT_FOLDER / name
            if old_hash_of(path) == need.name:
                return Found(need, name, None, path)
        return None

    def _listed(self, need: ModelRequirement, lists: EngineModelLists) -> Found | None:
        """Find a model that Web UI knows by itself: in its image, or wherever its own settings say."""
        if need.kind is Kind.CHECKPOINT:
            for entry in lists.checkpoints():
                if need.name in checkpoint_aliases(entry):
                    return Found(need, listed_name(entry), path=Path(str(entry.get("filename") or "")))
            return None
        listed = lists.named(need.kind)
        if listed is None:
            # No such list: with a bucket it was looked for there, without one nobody can tell.
            return Found(need, need.name) if self._bucket is None else None
        for entry in listed:
            names = set(names_of(entry))
            if any(
                form in names or PurePosixPath(form).name in names for form, _ in forms(need.kind, need.name)
            ):
                return Found(need, need.name)
        return None

    def _upscaler(self, need: ModelRequirement, lists: EngineModelLists) -> list[Found]:
        """Find an upscaler's weights; Web UI reads the list of upscalers when it starts, and then never."""
        listed = lists.named(need.kind)
        if listed is None:
            return []
        entry = next((entry for entry in listed if entry.get("name") == need.name), None)
        files = list(self._in_bucket(need.kind))
        if entry is None:
            known = [str(entry.get("name")) for entry in listed]
            fault = not_found(need.kind, need.name, (), path=need.path, shown_as=known)
            for file in files:
                if need.name in aliases(need.kind, file.name):
                    text = (
                        f" {file.key} is in the model bucket, but SD Web UI reads upscalers at its start only"
                    )
                    fault = PermanentError(
                        fault.code, f"{fault.message}{text}: name {file.folder} in SYNC_FOLDERS."
                    )
            raise fault
        weights = PurePosixPath(str(entry.get("model_path") or "")).name
        called = {need.name, need.name.replace(" ", "_"), weights}
        fitting = [f for f in files if called & {PurePosixPath(f.name).name, *aliases(need.kind, f.name)}]
        return [Found(need, f.name, f, self._place(f)) for f in fitting[:1]]

    def _beside(self, one: Found) -> Iterator[Found]:
        if self._bucket is None or one.file is None or one.need.kind is not Kind.CHECKPOINT:
            return
        files = self._bucket.files(one.file.folder)
        base = str(PurePosixPath(one.name).with_suffix(""))
        for name in (base + suffix for suffix in _BESIDE):
            if name in files:
                need = ModelRequirement(Kind.VAE, name, one.need.path, required=False)
                yield Found(need, name, files[name], self._place(files[name]))

    def _embeddings(self, text: str) -> Iterator[Found]:
        """Find the embeddings that the prompts name: they are words like any other, so none is missed."""
        try:
            files = list(self._in_bucket(Kind.EMBEDDING)) if text else []
        except RetryableError:  # S3 is down, and the models of the task are on the volume
            files = []
        folded = text.casefold()
        for file in files:
            word = PurePosixPath(file.name).stem
            if word.casefold() in folded and re.search(
                rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE
            ):
                need = ModelRequirement(Kind.EMBEDDING, word, "/prompt", required=False)
                yield Found(need, file.name, file, self._place(file))

    def _match(self, kind: Kind, wanted: str) -> ModelFile | None:
        for folder in kind.folders if self._bucket else ():
            files = self._bucket.files(folder) if self._bucket else {}
            name = match(kind, wanted, [name for name in files if kind.takes(folder, name)])
            if name is not None:
                return files[name]
        return None

    def _in_bucket(self, kind: Kind) -> Iterator[ModelFile]:
        for folder in kind.folders if self._bucket else ():
            files = self._bucket.files(folder) if self._bucket else {}
            yield from (file for name, file in files.items() if kind.takes(folder, name))

    def _missing(self, need: ModelRequirement, lists: EngineModelLists) -> PermanentError:
        known = {file.name for file in self._in_bucket(need.kind)}
        for folder in need.kind.folders if self._volume else ():
            known.update(self._volume.names(need.kind, folder) if self._volume else ())
        names: list[str] = []
        if need.kind is Kind.CHECKPOINT:
            names = [listed_name(entry) for entry in lists.checkpoints()]
        else:
            names = [name for entry in lists.named(need.kind) or () for name in names_of(entry)]
        return not_found(need.kind, need.name, sorted(known), path=need.path, shown_as=names)

    def _place(self, file: ModelFile) -> Path | None:
        return self._volume.path(file) if self._volume else None


def wrong_hash(found: Found) -> PermanentError:
    """Make the error for a checkpoint whose name is right and whose hash is another."""
    text = f"{found.need.path}: {found.name} exists, but not with the hash {found.hash}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
