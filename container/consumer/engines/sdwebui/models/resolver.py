"""Find a task's models in the model bucket, on the volume, or in SD Web UI."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, has_name, remove_hash
from container.consumer.engines.sdwebui.models.errors import (
    ambiguous_model,
    listed_only_at_start,
    model_not_found,
)
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

OLD_HASH_DIGITS = 8

_COMPANION_SUFFIXES = (".yaml", ".vae.safetensors", ".vae.pt", ".vae.ckpt")
"""Files that belong to a checkpoint and are stored beside it: its configuration, and its own VAE."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Where a required model is."""

    requirement: ModelRequirement
    name: str
    """Its file relative to the folder of its kind, or, without a file, SD Web UI's name for it."""
    file: ModelFile | None = None
    """The file in the bucket; None if it cannot or need not be fetched."""
    path: Path | None = None
    """Where the file is, or will be, on the volume, or where SD Web UI has it."""
    hash: str = ""
    """The hash that the task gives with the name."""


class ModelResolver:
    """Finds the models that a task names; without a bucket, only among those that SD Web UI lists."""

    def __init__(self, bucket: ModelBucket | None, volume: Volume | None, lists: EngineModelLists) -> None:
        self.bucket = bucket
        self.volume = volume
        self._lists = lists
        self._lora_names = LoraNames(bucket, volume)

    def find(self, content: dict[str, Any]) -> list[ResolvedModel]:
        """Return all models of a task.

        Raise PermanentError for a model that does not exist, and RetryableError if S3 does not respond.
        """
        lists = self._lists.cached()
        models: list[ResolvedModel] = []
        for requirement in (*required_models(content), *_models_of_styles(content, lists)):
            models += self._find(requirement, lists)
        return models + list(self._find_embeddings(joined_prompts(content)))

    def bucket_files(self, kind: Kind) -> Iterator[ModelFile]:
        """Yield the bucket's files of a kind."""
        for folder in kind.folders if self.bucket else ():
            files = self.bucket.files(folder) if self.bucket else {}
            yield from (file for name, file in files.items() if kind.takes(folder, name))

    def volume_path(self, file: ModelFile) -> Path | None:
        """Return the path on the volume that a file of the bucket has or will have; None without a volume."""
        return self.volume.path(file) if self.volume else None

    def _find(self, requirement: ModelRequirement, lists: EngineModelLists) -> list[ResolvedModel]:
        if requirement.kind in (Kind.FACE_RESTORER, Kind.UPSCALER):
            find = find_upscaler if requirement.kind is Kind.UPSCALER else find_face_restorer
            return [
                ResolvedModel(requirement, file.name, file, self.volume_path(file))
                for file in find(self, requirement, lists)
            ]
        self._check_is_supported(requirement, lists)
        try:
            model = (
                self._find_stored(requirement)
                or self._find_listed(requirement, lists)
                or self._find_by_inner_name(requirement, lists)
            )
        except AmbiguousName as error:
            raise ambiguous_model(
                requirement.kind, requirement.name, error.names, path=requirement.path
            ) from None
        if model is None:
            if not requirement.is_required:
                return []
            raise self._not_found_error(requirement, lists)
        self._check_can_be_listed(model, lists)
        return [model, *self._find_companions(model)]

    def _check_is_supported(self, requirement: ModelRequirement, lists: EngineModelLists) -> None:
        """Refuse requests that this Web UI cannot serve at all, although it responds 200 or 500 to them."""
        text = ""
        if requirement.kind is Kind.MODULE and not lists.is_forge:
            text = "this SD Web UI has no forge_additional_modules; name a VAE as sd_vae"
        if requirement.kind is Kind.VAE and requirement.path.endswith("/ad_vae") and lists.is_forge:
            text = "Forge does not let ADetailer use a VAE of its own; leave it out"
        if text:
            raise PermanentError(ErrorCode.INVALID_CONTENT, f"{requirement.path}: {text}.")

    def _check_can_be_listed(self, model: ResolvedModel, lists: EngineModelLists) -> None:
        """Refuse a missing file of a kind that SD Web UI reads only at its start, before it is fetched."""
        kind = model.requirement.kind
        if not model.requirement.is_required or not lists.is_listed_at_start(kind):
            return
        listed = lists.models(kind)
        name = webui_name(kind, model.name)
        if listed is not None and name not in {remove_hash(kind, other.name) for other in listed}:
            folder = model.file.folder if model.file else kind.folders[0]
            raise listed_only_at_start(kind, model.requirement.name, folder, path=model.requirement.path)

    def _find_stored(self, requirement: ModelRequirement) -> ResolvedModel | None:
        """Find a model in the bucket or else on the volume, where it may be if S3 does not respond now."""
        if self.bucket is None or self.volume is None:
            return None
        bucket_error: RetryableError | None = None
        for wanted, wanted_hash in possible_readings(requirement.kind, requirement.name):
            try:
                file = self._find_in_bucket(requirement.kind, wanted)
            except RetryableError as error:
                bucket_error, file = error, None
            if file is not None:
                return ResolvedModel(requirement, file.name, file, self.volume_path(file), wanted_hash)
            for folder in requirement.kind.folders:
                name = find_match(
                    requirement.kind, wanted, requirement.kind.among(folder, self.volume.file_names(folder))
                )
                if name is not None:
                    return ResolvedModel(
                        requirement, name, None, self.volume.root / folder / name, wanted_hash
                    )
        if requirement.kind is Kind.CHECKPOINT and is_hash(requirement.name):
            return self._find_by_old_hash(requirement)
        if bucket_error is not None:
            raise bucket_error
        return None

    def _find_by_old_hash(self, requirement: ModelRequirement) -> ResolvedModel | None:
        """Find a checkpoint on the volume by the short hash of early versions of SD Web UI."""
        volume = self.volume
        if volume is None or len(requirement.name) != OLD_HASH_DIGITS:
            return None
        for name in Kind.CHECKPOINT.among(CHECKPOINT_FOLDER, volume.file_names(CHECKPOINT_FOLDER)):
            path = volume.root / CHECKPOINT_FOLDER / name
            if old_hash_of(path) == requirement.name:
                return ResolvedModel(requirement, name, None, path)
        return None

    def _find_listed(self, requirement: ModelRequirement, lists: EngineModelLists) -> ResolvedModel | None:
        """Find a model that SD Web UI has by itself: in its image, or where its own settings say."""
        kind = requirement.kind
        if kind is Kind.CHECKPOINT:
            wanted_names = {
                name for name, wanted_hash in possible_readings(kind, requirement.name) if not wanted_hash
            }
            for entry in lists.checkpoints():
                if not wanted_names.isdisjoint(checkpoint_aliases(entry)):
                    return ResolvedModel(
                        requirement, listed_name(entry), path=Path(str(entry.get("filename") or ""))
                    )
            return None
        listed = lists.models(kind)
        if listed is None:
            # SD Web UI has no such list. With a bucket, the model would have been found there; without one,
            # only SD Web UI knows it.
            return ResolvedModel(requirement, requirement.name) if self.bucket is None else None
        for wanted, wanted_hash in possible_readings(kind, requirement.name):
            for model in listed:
                if has_name(kind, model, wanted, wanted_hash):
                    path = Path(model.path) if model.path else None
                    return ResolvedModel(requirement, model.name, path=path)
        return None

    def _find_by_inner_name(
        self, requirement: ModelRequirement, lists: EngineModelLists
    ) -> ResolvedModel | None:
        """Find a LoRA by the name inside its file, if exactly one file has it."""
        if requirement.kind is not Kind.LORA or not requirement.is_required:
            return None
        files = self._lora_names.files_named(requirement.name)
        stems = {PurePosixPath(file).stem: file for file in files}
        listed = lists.models(Kind.LORA) or ()
        stems |= {entry.name: entry.name for entry in listed if entry.alias == requirement.name}
        if len(stems) > 1:
            raise AmbiguousName(stems.values())
        for stem in stems:
            by_stem = replace(requirement, name=stem)
            model = self._find_stored(by_stem) or self._find_listed(by_stem, lists)
            return replace(model, requirement=requirement) if model else None
        return None

    def _find_companions(self, model: ResolvedModel) -> Iterator[ResolvedModel]:
        if self.bucket is None or model.file is None or model.requirement.kind is not Kind.CHECKPOINT:
            return
        files = self.bucket.files(model.file.folder)
        base = without_extension(model.name)
        for name in (base + suffix for suffix in _COMPANION_SUFFIXES):
            if name in files:
                requirement = ModelRequirement(Kind.VAE, name, model.requirement.path, is_required=False)
                yield ResolvedModel(requirement, name, files[name], self.volume_path(files[name]))

    def _find_embeddings(self, text: str) -> Iterator[ResolvedModel]:
        """Find the embeddings of the bucket whose names are in the prompts.

        An embedding looks like any other word, so a missing one cannot be noticed.
        """
        try:
            files = list(self.bucket_files(Kind.EMBEDDING)) if text else []
        except RetryableError:  # S3 does not respond, and the task's other models are on the volume
            files = []
        folded = text.casefold()
        for file in files:
            word = PurePosixPath(file.name).stem
            if word.casefold() not in folded:  # much quicker than the pattern
                continue
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
                requirement = ModelRequirement(Kind.EMBEDDING, word, "/prompt", is_required=False)
                yield ResolvedModel(requirement, file.name, file, self.volume_path(file))

    def _find_in_bucket(self, kind: Kind, wanted: str) -> ModelFile | None:
        """Find a file in the bucket; SD Web UI treats all folders of a kind as one list."""
        matches: list[ModelFile] = []
        for folder in kind.folders if self.bucket else ():
            files = self.bucket.files(folder) if self.bucket else {}
            names = [name for name in files if kind.takes(folder, name)]
            name = find_match(kind, webui_name(kind, matches[0].name) if matches else wanted, names)
            if name is not None:
                matches.append(files[name])
        if len(matches) > 1:
            raise AmbiguousName(file.key for file in matches)
        return matches[0] if matches else None

    def _not_found_error(self, requirement: ModelRequirement, lists: EngineModelLists) -> PermanentError:
        known_files = {file.name for file in self.bucket_files(requirement.kind)}
        for folder in requirement.kind.folders if self.volume else ():
            known_files.update(
                requirement.kind.among(folder, self.volume.file_names(folder)) if self.volume else ()
            )
        names: list[str]
        if requirement.kind is Kind.CHECKPOINT:
            names = [listed_name(entry) for entry in lists.checkpoints()]
        else:
            listed = lists.models(requirement.kind) or ()
            names = [name for entry in listed for name in (entry.name, entry.alias) if name]
        return model_not_found(
            requirement.kind, requirement.name, sorted(known_files), path=requirement.path, listed_names=names
        )


def wrong_hash(model: ResolvedModel) -> PermanentError:
    """Return the error for a model whose name is right but whose hash differs."""
    text = f"{model.requirement.path}: {model.name} exists, but not with the hash {model.hash}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def _models_of_styles(content: dict[str, Any], lists: EngineModelLists) -> Iterator[ModelRequirement]:
    """Yield the LoRAs in the styles of a task, which SD Web UI adds to the prompt."""
    styles = content.get("styles")
    for index, style in enumerate(styles if isinstance(styles, list) else ()):
        for requirement in required_models({"prompt": lists.style_prompt(str(style))}):
            yield replace(requirement, path=f"/styles/{index}")
