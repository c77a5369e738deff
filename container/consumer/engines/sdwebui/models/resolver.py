"""Find a task's models in the model bucket, on the volume, or in SD Web UI."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, is_named, without_hash
from container.consumer.engines.sdwebui.models.errors import ambiguous, not_found, read_at_start
from container.consumer.engines.sdwebui.models.lora_names import LoraNames
from container.consumer.engines.sdwebui.models.required import ModelRequirement, required_models
from container.consumer.engines.sdwebui.models.weights import find_face_restorer, find_upscaler
from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.integrity import old_hash_of
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import (
    CHECKPOINT_FOLDER,
    AmbiguousName,
    Kind,
    checkpoint_aliases,
    find_match,
    is_hash,
    listed_name,
    possible_readings,
    webui_name,
    without_extension,
)
from runtimes.sdwebui.named_models import joined_prompts

_COMPANION_SUFFIXES = (".yaml", ".vae.safetensors", ".vae.pt", ".vae.ckpt")
"""Files that belong to a checkpoint and are stored beside it: its configuration, and its own VAE."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a required model is; `name` is relative to its folder, or SD Web UI's own name for it."""

    need: ModelRequirement
    name: str
    file: ModelFile | None = None
    """The file in the bucket; None if it cannot or need not be fetched."""
    path: Path | None = None
    """Where the file is, or will be, on the volume, or where SD Web UI has it."""
    hash: str = ""
    """The hash that the task gives with the name."""


class ModelResolver:
    """Finds the models that a task names; without a bucket, only those that SD Web UI lists exist."""

    def __init__(self, bucket: ModelBucket | None, volume: Volume | None, lists: EngineModelLists) -> None:
        self.bucket = bucket
        self.volume = volume
        self._lists = lists
        self._lora_names = LoraNames(bucket, volume)

    def find(self, content: dict[str, Any]) -> list[Found]:
        """Return all models of a task.

        Raise PermanentError for a model that does not exist, and RetryableError if S3 does not respond.
        """
        lists = self._lists.once()
        found: list[Found] = []
        for need in (*required_models(content), *_of_styles(content, lists)):
            found += self._find(need, lists)
        return found + list(self._embeddings(joined_prompts(content)))

    def in_bucket(self, kind: Kind) -> Iterator[ModelFile]:
        """Yield the bucket's files of a kind."""
        for folder in kind.folders if self.bucket else ():
            files = self.bucket.files(folder) if self.bucket else {}
            yield from (file for name, file in files.items() if kind.takes(folder, name))

    def place(self, file: ModelFile) -> Path | None:
        """Return the path of a bucket's file on the volume."""
        return self.volume.path(file) if self.volume else None

    def _find(self, need: ModelRequirement, lists: EngineModelLists) -> list[Found]:
        if need.kind in (Kind.FACE_RESTORER, Kind.UPSCALER):
            find = find_upscaler if need.kind is Kind.UPSCALER else find_face_restorer
            return [Found(need, f.name, f, self.place(f)) for f in find(self, need, lists)]
        self._check_engine(need, lists)
        try:
            one = self._stored(need) or self._listed(need, lists) or self._by_inner_name(need, lists)
        except AmbiguousName as several:
            raise ambiguous(need.kind, need.name, several.names, path=need.path) from None
        if one is None:
            if not need.required:
                return []
            raise self._missing(need, lists)
        self._check_start(one, lists)
        return [one, *self._companions(one)]

    def _check_engine(self, need: ModelRequirement, lists: EngineModelLists) -> None:
        """Refuse requests that this Web UI cannot serve at all, although it responds 200 or 500 to them."""
        text = ""
        if need.kind is Kind.MODULE and not lists.is_forge:
            text = "this SD Web UI has no forge_additional_modules; name a VAE as sd_vae"
        if need.kind is Kind.VAE and need.path.endswith("/ad_vae") and lists.is_forge:
            text = "Forge does not let ADetailer use a VAE of its own; leave it out"
        if text:
            raise PermanentError(ErrorCode.INVALID_CONTENT, f"{need.path}: {text}.")

    def _check_start(self, one: Found, lists: EngineModelLists) -> None:
        """Refuse a missing file of a kind that SD Web UI reads only at its start, before it is fetched."""
        kind = one.need.kind
        if not one.need.required or not lists.is_read_at_start(kind):
            return
        listed = lists.named(kind)
        short = webui_name(kind, one.name)
        if listed is not None and short not in {without_hash(kind, entry.name) for entry in listed}:
            folder = one.file.folder if one.file else kind.folders[0]
            raise read_at_start(kind, one.need.name, folder, path=one.need.path)

    def _stored(self, need: ModelRequirement) -> Found | None:
        """Find a model in the bucket or else on the volume, where it may be if S3 does not respond now."""
        if self.bucket is None or self.volume is None:
            return None
        failure: RetryableError | None = None
        for wanted, digits in possible_readings(need.kind, need.name):
            try:
                file = self._match(need.kind, wanted)
            except RetryableError as fault:
                failure, file = fault, None
            if file is not None:
                return Found(need, file.name, file, self.place(file), digits)
            for folder in need.kind.folders:
                name = find_match(need.kind, wanted, need.kind.among(folder, self.volume.file_names(folder)))
                if name is not None:
                    return Found(need, name, None, self.volume.root / folder / name, digits)
        if need.kind is Kind.CHECKPOINT and is_hash(need.name):
            return self._by_old_hash(need)
        if failure is not None:
            raise failure
        return None

    def _by_old_hash(self, need: ModelRequirement) -> Found | None:
        """Find a checkpoint on the volume by the hash of early Web UIs."""
        volume = self.volume
        if volume is None or len(need.name) != 8:  # the hash of early versions of SD Web UI
            return None
        for name in Kind.CHECKPOINT.among(CHECKPOINT_FOLDER, volume.file_names(CHECKPOINT_FOLDER)):
            path = volume.root / CHECKPOINT_FOLDER / name
            if old_hash_of(path) == need.name:
                return Found(need, name, None, path)
        return None

    def _listed(self, need: ModelRequirement, lists: EngineModelLists) -> Found | None:
        """Find a model that SD Web UI has by itself: in its image, or where its own settings say."""
        kind = need.kind
        if kind is Kind.CHECKPOINT:
            asked = {name for name, digits in possible_readings(kind, need.name) if not digits}
            for entry in lists.checkpoints():
                if not asked.isdisjoint(checkpoint_aliases(entry)):
                    return Found(need, listed_name(entry), path=Path(str(entry.get("filename") or "")))
            return None
        listed = lists.named(kind)
        if listed is None:
            # Without such a list, only the bucket shows it, and it was searched already.
            return Found(need, need.name) if self.bucket is None else None
        for wanted, digits in possible_readings(kind, need.name):
            for one in listed:
                if is_named(kind, one, wanted, digits):
                    return Found(need, one.name, path=Path(one.path) if one.path else None)
        return None

    def _by_inner_name(self, need: ModelRequirement, lists: EngineModelLists) -> Found | None:
        """Find a LoRA by the name inside its file, if exactly one file has it."""
        if need.kind is not Kind.LORA or not need.required:
            return None
        files = self._lora_names.files_named(need.name)
        stems = {PurePosixPath(file).stem: file for file in files}
        listed = lists.named(Kind.LORA) or ()
        stems |= {entry.name: entry.name for entry in listed if entry.alias == need.name}
        if len(stems) > 1:
            raise AmbiguousName(stems.values())
        for stem in stems:
            by_stem = replace(need, name=stem)
            one = self._stored(by_stem) or self._listed(by_stem, lists)
            return replace(one, need=need) if one else None
        return None

    def _companions(self, one: Found) -> Iterator[Found]:
        if self.bucket is None or one.file is None or one.need.kind is not Kind.CHECKPOINT:
            return
        files = self.bucket.files(one.file.folder)
        base = without_extension(one.name)
        for name in (base + suffix for suffix in _COMPANION_SUFFIXES):
            if name in files:
                need = ModelRequirement(Kind.VAE, name, one.need.path, required=False)
                yield Found(need, name, files[name], self.place(files[name]))

    def _embeddings(self, text: str) -> Iterator[Found]:
        """Find the embeddings in the prompts; they look like any other word, so none can be missing."""
        try:
            files = list(self.in_bucket(Kind.EMBEDDING)) if text else []
        except RetryableError:  # S3 is down, and the models of the task are on the volume
            files = []
        folded = text.casefold()
        for file in files:
            word = PurePosixPath(file.name).stem
            if word.casefold() not in folded:  # much quicker than the pattern
                continue
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
                need = ModelRequirement(Kind.EMBEDDING, word, "/prompt", required=False)
                yield Found(need, file.name, file, self.place(file))

    def _match(self, kind: Kind, wanted: str) -> ModelFile | None:
        """Find a file in the bucket; SD Web UI treats all folders of a kind as one list."""
        found: list[ModelFile] = []
        for folder in kind.folders if self.bucket else ():
            files = self.bucket.files(folder) if self.bucket else {}
            names = [name for name in files if kind.takes(folder, name)]
            name = find_match(kind, webui_name(kind, found[0].name) if found else wanted, names)
            if name is not None:
                found.append(files[name])
        if len(found) > 1:
            raise AmbiguousName(file.key for file in found)
        return found[0] if found else None

    def _missing(self, need: ModelRequirement, lists: EngineModelLists) -> PermanentError:
        known = {file.name for file in self.in_bucket(need.kind)}
        for folder in need.kind.folders if self.volume else ():
            known.update(need.kind.among(folder, self.volume.file_names(folder)) if self.volume else ())
        names: list[str] = []
        if need.kind is Kind.CHECKPOINT:
            names = [listed_name(entry) for entry in lists.checkpoints()]
        else:
            listed = lists.named(need.kind) or ()
            names = [name for entry in listed for name in (entry.name, entry.alias) if name]
        return not_found(need.kind, need.name, sorted(known), path=need.path, shown_as=names)


def wrong_hash(found: Found) -> PermanentError:
    """Return the error for a model whose name is right but whose hash differs."""
    text = f"{found.need.path}: {found.name} exists, but not with the hash {found.hash}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def _of_styles(content: dict[str, Any], lists: EngineModelLists) -> Iterator[ModelRequirement]:
    """Yield the LoRAs in the styles of a task, which SD Web UI adds to the prompt."""
    styles = content.get("styles")
    for index, style in enumerate(styles if isinstance(styles, list) else ()):
        for need in required_models({"prompt": lists.style_prompt(str(style))}):
            yield replace(need, path=f"/styles/{index}")
