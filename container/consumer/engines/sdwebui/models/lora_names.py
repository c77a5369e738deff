"""The names inside LoRA files: `ss_output_name`, which SD Web UI accepts as an alias.

They are read from all files in the bucket and not only from those that this worker has, because otherwise the
same task could succeed on one worker and fail on another.
"""

import json
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final

from container.consumer.model_store.bucket import ModelBucket, ModelFile
from container.consumer.model_store.volume import Volume
from runtimes.sdwebui.model_names import Kind

BEGINNING_BYTES: Final = 64 * 1024
"""The first part of a file to read; `__metadata__` is at the beginning of the header, before the tensors."""

MAX_HEADER_BYTES: Final = 16 * 1024 * 1024
READS_AT_ONCE: Final = 16
MAX_FILES: Final = 5000
"""Maximum number of files to look into; each costs one small read in the life of a worker."""

_LENGTH: Final = struct.Struct("<Q")
_OUTPUT_NAME: Final = re.compile(r'"ss_output_name"\s*:\s*("(?:[^"\\]|\\.)*")')


class LoraNames:
    """Looks up LoRAs by the name inside their files; each version of a file is read once."""

    def __init__(self, bucket: ModelBucket | None, volume: Volume | None) -> None:
        self._bucket = bucket
        self._volume = volume
        self._inside: dict[tuple[str, str], str] = {}

    def files_named(self, name: str) -> set[str]:
        """Return the files, relative to their folder, that have this name inside; raise RetryableError."""
        found: set[str] = set()
        for folder in Kind.LORA.folders:
            files = self._bucket.files(folder) if self._bucket else {}
            readable = [file for file in files.values() if _has_metadata(file.name)][:MAX_FILES]
            with ThreadPoolExecutor(READS_AT_ONCE) as pool:
                names = list(pool.map(self._in_bucket, readable))
            inside = dict(zip((file.name for file in readable), names, strict=True))
            for other in Kind.LORA.among(folder, self._volume.file_names(folder)) if self._volume else ():
                if other not in files and _has_metadata(other):
                    inside[other] = self._on_volume(folder, other)
            found |= {file for file, own in inside.items() if own == name}
        return found

    def _in_bucket(self, file: ModelFile) -> str:
        key = file.key, file.etag
        if key not in self._inside and self._bucket is not None:
            begin = self._bucket.beginning(file, BEGINNING_BYTES)
            if output_name(begin) is None:
                begin = self._bucket.beginning(file, _header_bytes(begin))
            self._inside[key] = output_name(begin) or ""
        return self._inside[key]

    def _on_volume(self, folder: str, name: str) -> str:
        path = self._volume.root / folder / name if self._volume else Path(name)
        try:
            key = str(path), str(path.stat().st_mtime_ns)
            if key not in self._inside:
                with path.open("rb") as file:
                    begin = file.read(BEGINNING_BYTES)
                    if output_name(begin) is None:
                        begin += file.read(_header_bytes(begin) - len(begin))
                self._inside[key] = output_name(begin) or ""
        except OSError:  # evicted just now
            return ""
        return self._inside[key]


def output_name(begin: bytes) -> str | None:
    """Return the name in the beginning of a file, "" if there is none, None if the header continues."""
    if found := _OUTPUT_NAME.search(begin.decode(errors="replace")):
        try:
            return str(json.loads(found[1]))
        except ValueError:
            return ""
    more = _header_bytes(begin) > len(begin) and len(begin) < MAX_HEADER_BYTES
    return None if more and len(begin) == BEGINNING_BYTES else ""


def _header_bytes(begin: bytes) -> int:
    """Return the length of a file's header in bytes, at most `MAX_HEADER_BYTES`."""
    if len(begin) < _LENGTH.size:
        return len(begin)
    (length,) = _LENGTH.unpack(begin[: _LENGTH.size])
    return min(_LENGTH.size + int(length), MAX_HEADER_BYTES)


def _has_metadata(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == ".safetensors"
