"""Check that a downloaded file equals the object in S3, and that it can be a model at all."""

import base64
import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

try:
    from awscrt import checksums as _crt
except ImportError:  # a platform without the CRT: its checksums are then left unchecked
    _crt = None

BLOCK_BYTES: Final = 4 * 1024 * 1024
MAX_HEADER_BYTES: Final = 100_000_000
"""The limit of the safetensors format."""

_LENGTH: Final = struct.Struct("<Q")
_LFS_POINTER: Final = b"version https://git-lfs"


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _md5() -> _Digest:
    return hashlib.md5(usedforsecurity=False)


# Ordered by speed; S3 has one or two of them for an object.
_ALGORITHMS: Final[dict[str, Callable[[], _Digest]]] = {
    **(
        {
            "ChecksumCRC64NVME": lambda: _Crc(_crt.crc64nvme, 8),
            "ChecksumCRC32C": lambda: _Crc(_crt.crc32c, 4),
        }
        if _crt is not None
        else {}
    ),
    "ChecksumCRC32": lambda: _Crc(zlib.crc32, 4),
    "ChecksumSHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "ChecksumSHA256": hashlib.sha256,
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 reports about an object.

    If `parts` is above 0, the checksum is one of the checksums of that many parts.
    """

    size: int
    etag: str
    algorithm: str = ""
    expected: bytes = b""
    parts: int = 0
    part_size: int = 0

    @staticmethod
    def needs_part_size(head: Mapping[str, Any]) -> bool:
        """Return whether the checksum is made of parts, whose size needs another request."""
        return _best_checksum(head)[2] > 0

    @classmethod
    def of(cls, head: Mapping[str, Any], part: Mapping[str, Any]) -> Self:
        """Read the response to HEAD, and to HEAD of the first part if that was requested."""
        algorithm, expected, parts = _best_checksum(head)
        size = head["ContentLength"]
        part_size = part.get("ContentLength", 0) if parts else 0
        if parts and -(-size // part_size if part_size else 0) != parts:
            # S3 tells only the size of the first part, so a checksum of unequal parts cannot be computed.
            algorithm, parts, part_size = "", 0, 0
        return cls(size, head["ETag"].strip('"'), algorithm, expected, parts, part_size)


def _best_checksum(head: Mapping[str, Any]) -> tuple[str, bytes, int]:
    """Return algorithm, value and number of parts (0: whole object) of the best checksum, or `""`."""
    for name in _ALGORITHMS:
        if value := head.get(name):
            text, _, parts = str(value).partition("-")
            return name, base64.b64decode(text), int(parts or 0)
    etag, _, parts = head["ETag"].strip('"').partition("-")
    # With a KMS or customer key, the ETag is not an MD5 (S3's documentation of ETag).
    encryption = head.get("ServerSideEncryption", "AES256")
    may_be_md5 = encryption == "AES256" and "SSECustomerAlgorithm" not in head
    if may_be_md5 and len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag):
        return "MD5", bytes.fromhex(etag), int(parts or 0)
    return "", b"", 0


def verify_download(path: Path, stored: StoredObject) -> str | None:
    """Return what was verified of a downloaded file (at least "size"), None if it differs from S3's.

    The whole file is read from the page cache: CRC at several GB/s, MD5 of a single part at about 0.6 GB/s.
    """
    if path.stat().st_size != stored.size:
        return None
    if not stored.algorithm:
        return "size"
    new_digest = _ALGORITHMS.get(stored.algorithm, _md5)
    if stored.parts:
        spans = [
            (at, min(stored.part_size, stored.size - at)) for at in range(0, stored.size, stored.part_size)
        ]
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(lambda span: _digest(path, new_digest, *span), spans))
        combined = new_digest()
        combined.update(b"".join(digests))
        actual = combined.digest()
    else:
        actual = _digest(path, new_digest, 0, stored.size)
    return f"size, {stored.algorithm.removeprefix('Checksum')}" if actual == stored.expected else None


def sha256_of(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    return _digest(path, hashlib.sha256, 0, path.stat().st_size).hex()


def old_hash_of(path: Path) -> str:
    """Return the 8-digit hash by which checkpoints were named in early requests: of 64 KiB at 1 MiB."""
    return _digest(path, hashlib.sha256, 0x100000, 0x10000).hex()[:8]


def _digest(path: Path, new_digest: Callable[[], _Digest], start: int, size: int) -> bytes:
    digest = new_digest()
    with path.open("rb") as file:
        file.seek(start)
        for block in _blocks(file, size):
            digest.update(block)
    return digest.digest()


def _blocks(file: Any, size: int) -> Iterator[bytes]:
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        size -= len(block)
        yield block


def defect_of(path: Path, *, name: str) -> str | None:
    """Return why a file cannot be a model, or None if nothing is wrong with it.

    A complete download of a broken upload can leave an engine unhealthy (`55-truncated-*`), which then fails
    this job and every later one. Only certain defects are detected here: a safetensors file declares its own
    length, and a zipped checkpoint ends with its directory. The engine decides about everything else.
    """
    with path.open("rb") as file:
        beginning = file.read(len(_LFS_POINTER))
    if not beginning:
        return "it is empty"
    if beginning == _LFS_POINTER:
        return "it is a Git LFS pointer, not the file"
    if beginning.lstrip()[:1] == b"<":
        return "it is a web page"
    if beginning.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "it is cut off: a zip archive without its directory"
    return _safetensors_defect(path) if name.lower().endswith((".safetensors", ".sft")) else None


def _safetensors_defect(path: Path) -> str | None:
    """Return why a file is not a complete safetensors file; the engine judges the tensors themselves."""
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(_LENGTH.size)
        length = _LENGTH.unpack(beginning)[0] if len(beginning) == _LENGTH.size else MAX_HEADER_BYTES + 1
        text = file.read(min(length, MAX_HEADER_BYTES))
    if length > MAX_HEADER_BYTES:
        return "it is no safetensors file: it does not begin with the length of its header"
    if len(text) < length:
        return "it is cut off within its header"
    try:
        entries = json.loads(text)
    except ValueError:
        return "its header is not JSON"
    try:
        ends = [int(entry["data_offsets"][1]) for key, entry in entries.items() if key != "__metadata__"]
    except (ValueError, AttributeError, KeyError, TypeError, IndexError):
        return None if isinstance(entries, dict) else "its header is no JSON object"
    data_bytes = size - _LENGTH.size - length
    if max(ends, default=0) > data_bytes:
        return f"it is cut off: {max(ends):,} bytes of weights are declared, {data_bytes:,} are there"
    return None
