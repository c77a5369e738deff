"""The weights of upscalers and face restorers, which SD Web UI lists even if they are missing.

If they are missing, it downloads them from the internet, which a worker may not reach, or resizes plainly and
responds 200.
"""

import logging
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, Protocol

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, Listed
from container.consumer.engines.sdwebui.models.errors import not_found, read_at_start
from container.consumer.engines.sdwebui.models.required import ModelRequirement
from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind, aliases

_FOLDERS: Final = (
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

    def in_bucket(self, kind: Kind) -> Iterator[ModelFile]:
        """Yield the bucket's files of a kind."""


def find_upscaler(sources: ModelSources, need: ModelRequirement, lists: EngineModelLists) -> list[ModelFile]:
    """Return the weights that an upscaler needs from the bucket; raise PermanentError if there are none.

    SD Web UI reads the list of upscalers only when it starts.
    """
    listed = lists.named(need.kind)
    if listed is None:
        return []
    files = list(sources.in_bucket(need.kind))
    entry = _entry(need, listed)
    if entry is None:
        for file in files:
            if need.name in aliases(need.kind, file.name):
                raise read_at_start(need.kind, need.name, file.folder, path=need.path)
        raise not_found(need.kind, need.name, (), path=need.path, shown_as=[one.name for one in listed])
    weights = PurePosixPath(entry.path).name
    names = {entry.name, entry.name.replace(" ", "_"), weights}
    fitting = [f for f in files if names & {PurePosixPath(f.name).name, *aliases(need.kind, f.name)}]
    if not fitting and entry.path.startswith(("http:", "https:")):
        folder = next((folder for start, folder in _FOLDERS if entry.name.startswith(start)), "ESRGAN")
        _check_there(sources, need, f"upscaler {entry.name}", folder, weights)
    return fitting[:1]


def find_face_restorer(sources: ModelSources, need: ModelRequirement, _: EngineModelLists) -> list[ModelFile]:
    """Return the weights for face restoration from the bucket; raise PermanentError if there are none."""
    files = [file for file in sources.in_bucket(need.kind) if need.name in ("", file.folder)]
    if not files:
        folders = (need.name,) if need.name else need.kind.folders
        for folder in folders:
            if sources.volume and need.kind.among(folder, sources.volume.file_names(folder)):
                return []
        _check_there(sources, need, "face restorer", folders[0], "its weights")
    return files


def _entry(need: ModelRequirement, listed: list[Listed]) -> Listed | None:
    if need.by_index:
        place = int(need.name)
        return listed[place] if 0 <= place < len(listed) else None
    return next((entry for entry in listed if entry.name == need.name), None)


def _check_there(sources: ModelSources, need: ModelRequirement, what: str, folder: str, weights: str) -> None:
    """Raise PermanentError unless weights are on the volume; without a volume, only SD Web UI knows."""
    if sources.volume is None:
        _log.warning("cannot check whether SD Web UI has the weights", extra={"reason": what})
        return
    for other in need.kind.folders:
        names = need.kind.among(other, sources.volume.file_names(other))
        if any(PurePosixPath(name).name == weights for name in names):
            return
    text = (
        f"{need.path}: SD Web UI lists the {what}, but its weights are neither on the worker nor in the "
        f"model bucket, and it would answer as if it used them: put {weights} into the bucket's {folder}/."
    )
    raise PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
