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
CONCURRENT_READS: Final = 16
MAX_FILES: Final = 5000
"""Maximum number of files to look into: each costs a read from S3, though only once in the life of a
worker."""

_LENGTH: Final = struct.Struct("<Q")
_OUTPUT_NAME: Final = re.compile(r'"ss_output_name"\s*:\s*("(?:[^"\\]|\\.)*")')


class LoraNames:
    """Looks up LoRAs by the name inside their files; each version of a file is read once."""

    def __init__(self, bucket: ModelBucket | None, volume: Volume | None) -> None:
        self._bucket = bucket
        self._volume = volume
        self._names: dict[tuple[str, str], str] = {}  # by key and ETag, or by path and time of modification

    def files_named(self, name: str) -> set[str]:
        """Return the files, relative to their folder, that have this name inside; raise RetryableError."""
        matches: set[str] = set()
        for folder in Kind.LORA.folders:
            files = self._bucket.files(folder) if self._bucket else {}
            readable = [file for file in files.values() if _has_metadata(file.name)][:MAX_FILES]
            with ThreadPoolExecutor(CONCURRENT_READS) as pool:
                names = list(pool.map(self._read_from_bucket, readable))
            names_by_file = dict(zip((file.name for file in readable), names, strict=True))
            for other in Kind.LORA.among(folder, self._volume.file_names(folder)) if self._volume else ():
                if other not in files and _has_metadata(other):
                    names_by_file[other] = self._read_from_volume(folder, other)
            matches |= {file for file, inner_name in names_by_file.items() if inner_name == name}
        return matches

    def _read_from_bucket(self, file: ModelFile) -> str:
        key = file.key, file.etag
        if key not in self._names and self._bucket is not None:
            start = self._bucket.beginning(file, BEGINNING_BYTES)
            if output_name(start) is None:
                start = self._bucket.beginning(file, _header_bytes(start))
            self._names[key] = output_name(start) or ""
        return self._names[key]

    def _read_from_volume(self, folder: str, name: str) -> str:
        path = self._volume.root / folder / name if self._volume else Path(name)
        try:
            key = str(path), str(path.stat().st_mtime_ns)
            if key not in self._names:
                with path.open("rb") as file:
                    start = file.read(BEGINNING_BYTES)
                    if output_name(start) is None:
                        start += file.read(_header_bytes(start) - len(start))
                self._names[key] = output_name(start) or ""
        except OSError:  # evicted just now
            return ""
        return self._names[key]


def output_name(start: bytes) -> str | None:
    """Return the name in the first bytes of a file, "" if there is none, None if the header is longer."""
    if match := _OUTPUT_NAME.search(start.decode(errors="replace")):
        try:
            return str(json.loads(match[1]))
        except ValueError:
            return ""
    is_longer = _header_bytes(start) > len(start) and len(start) < MAX_HEADER_BYTES
    return None if is_longer and len(start) == BEGINNING_BYTES else ""


def _header_bytes(start: bytes) -> int:
    """Return the length of a file's header in bytes, at most `MAX_HEADER_BYTES`."""
    if len(start) < _LENGTH.size:
        return len(start)
    (length,) = _LENGTH.unpack(start[: _LENGTH.size])
    return min(_LENGTH.size + int(length), MAX_HEADER_BYTES)


def _has_metadata(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() == ".safetensors"
