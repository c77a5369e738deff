"""Find the weights of upscalers and face restorers, which SD Web UI lists even without their weights.

Without them, it downloads them from the internet, which a worker may not reach, or it only resizes the image
and responds 200.
"""

import logging
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, Protocol

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, ListedModel
from container.consumer.engines.sdwebui.models.errors import listed_only_at_start, model_not_found
from container.consumer.engines.sdwebui.models.required import ModelRequirement
from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind, aliases

_UPSCALER_FOLDERS: Final = (
    ("R-ESRGAN", "RealESRGAN"),
    ("SwinIR", "SwinIR"),
    ("ScuNET", "ScuNET"),
    ("LDSR", "LDSR"),
    ("DAT", "DAT"),
)
"""The folder of an upscaler's weights by the beginning of its name; `ESRGAN` for all others."""

_log = logging.getLogger(__name__)


class ModelSources(Protocol):
    """Access to the models in the bucket and on the volume."""

    bucket: ModelBucket | None
    volume: Volume | None

    def bucket_files(self, kind: Kind) -> Iterator[ModelFile]:
        """Yield the bucket's files of a kind."""


def find_upscaler(
    sources: ModelSources, requirement: ModelRequirement, lists: EngineModelLists
) -> list[ModelFile]:
    """Return the weights that an upscaler needs from the bucket; raise PermanentError if there are none.

    SD Web UI reads the list of upscalers only when it starts.
    """
    listed = lists.models(requirement.kind)
    if listed is None:
        return []
    files = list(sources.bucket_files(requirement.kind))
    entry = _find_listed(requirement, listed)
    if entry is None:
        for file in files:
            if requirement.name in aliases(requirement.kind, file.name):
                raise listed_only_at_start(
                    requirement.kind, requirement.name, file.folder, path=requirement.path
                )
        raise model_not_found(
            requirement.kind,
            requirement.name,
            (),
            path=requirement.path,
            listed_names=[model.name for model in listed],
        )
    weights = PurePosixPath(entry.path).name
    names = {entry.name, entry.name.replace(" ", "_"), weights}
    matches = [
        file
        for file in files
        if names & {PurePosixPath(file.name).name, *aliases(requirement.kind, file.name)}
    ]
    if not matches and entry.path.startswith(("http:", "https:")):
        folder = next(
            (folder for start, folder in _UPSCALER_FOLDERS if entry.name.startswith(start)), "ESRGAN"
        )
        _check_has_weights(sources, requirement, f"upscaler {entry.name}", folder, weights)
    return matches[:1]


def find_face_restorer(
    sources: ModelSources, requirement: ModelRequirement, _: EngineModelLists
) -> list[ModelFile]:
    """Return the weights for face restoration from the bucket; raise PermanentError if there are none."""
    files = [file for file in sources.bucket_files(requirement.kind) if requirement.name in ("", file.folder)]
    if not files:
        folders = (requirement.name,) if requirement.name else requirement.kind.folders
        for folder in folders:
            if sources.volume and requirement.kind.among(folder, sources.volume.file_names(folder)):
                return []
        _check_has_weights(sources, requirement, "face restorer", folders[0], "its weights")
    return files


def _find_listed(requirement: ModelRequirement, listed: list[ListedModel]) -> ListedModel | None:
    if requirement.is_by_index:
        index = int(requirement.name)
        return listed[index] if 0 <= index < len(listed) else None
    return next((entry for entry in listed if entry.name == requirement.name), None)


def _check_has_weights(
    sources: ModelSources, requirement: ModelRequirement, subject: str, folder: str, weights: str
) -> None:
    """Raise PermanentError unless the weights are on the volume; without a volume this cannot be known."""
    if sources.volume is None:
        _log.warning("cannot check whether SD Web UI has the weights", extra={"reason": subject})
        return
    for other in requirement.kind.folders:
        names = requirement.kind.among(other, sources.volume.file_names(other))
        if any(PurePosixPath(name).name == weights for name in names):
            return
    text = (
        f"{requirement.path}: SD Web UI lists the {subject}, but its weights are neither on the worker "
        f"nor in the model bucket, and it would answer as if it used them: put {weights} into the "
        f"bucket's {folder}/."
    )
    raise PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
