"""Checks that a downloaded file is complete and can be a model."""

import base64
import hashlib
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from awscrt import checksums

from container.consumer.model_store.integrity import StoredObject, defect_of, old_hash_of, verify_download

CONTENT = bytes(range(256)) * 64
PART_BYTES = 5000


def digest_of_parts(digest: Any) -> tuple[bytes, int]:
    """Return the digest of the digests of all parts, and the number of parts."""
    blocks = [CONTENT[at : at + PART_BYTES] for at in range(0, len(CONTENT), PART_BYTES)]
    return digest(b"".join(map(digest, blocks))), len(blocks)


def crc32(data: bytes) -> bytes:
    """Return the checksum in the byte order in which S3 encodes it."""
    return zlib.crc32(data).to_bytes(4, "big")


def crc64(data: bytes) -> bytes:
    """Return the checksum in the byte order in which S3 encodes it."""
    return int(checksums.crc64nvme(data)).to_bytes(8, "big")


def md5(data: bytes) -> bytes:
    """Return the ETag of a single part."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def b64(value: bytes) -> str:
    """Encode bytes as in a header of S3."""
    return base64.b64encode(value).decode()


MD5_PARTS, PART_COUNT = digest_of_parts(md5)
HEADS_BY_CHECKSUM = {
    "size, MD5": {"ETag": f'"{md5(CONTENT).hex()}"'},
    "size, MD5 of parts": {"ETag": f'"{MD5_PARTS.hex()}-{PART_COUNT}"'},
    "size, CRC32": {"ETag": '"x"', "ChecksumCRC32": b64(crc32(CONTENT))},
    "size, CRC64NVME": {"ETag": '"x"', "ChecksumCRC64NVME": b64(crc64(CONTENT))},
    "size, CRC32 of parts": {
        "ETag": '"x"',
        "ChecksumCRC32": f"{b64(digest_of_parts(crc32)[0])}-{PART_COUNT}",
    },
    "size, SHA256": {"ETag": '"x"', "ChecksumSHA256": b64(hashlib.sha256(CONTENT).digest())},
}


@pytest.mark.parametrize("checked", HEADS_BY_CHECKSUM)
def test_every_kind_of_checksum_detects_a_changed_byte(tmp_path: Path, checked: str) -> None:
    head = {"ContentLength": len(CONTENT), **HEADS_BY_CHECKSUM[checked]}
    stored_object = StoredObject.of(
        head, {"ContentLength": PART_BYTES} if StoredObject.needs_part_size(head) else {}
    )
    file = tmp_path / "part"
    file.write_bytes(CONTENT)
    assert verify_download(file, stored_object) == checked.removesuffix(" of parts")
    file.write_bytes(CONTENT[:-1] + b"?")
    assert verify_download(file, stored_object) is None
    file.write_bytes(CONTENT[:-1])
    assert verify_download(file, stored_object) is None


@pytest.mark.parametrize(
    "head",
    [
        {"ETag": f'"{md5(b"ciphertext").hex()}"', "ServerSideEncryption": "aws:kms"},
        {"ETag": '"no hash at all"'},
        {"ETag": f'"{MD5_PARTS.hex()}-9"'},
    ],
)
def test_without_a_usable_checksum_only_the_size_is_verified(tmp_path: Path, head: dict[str, Any]) -> None:
    """An ETag is not an MD5 with a KMS key, or if the parts have different sizes."""
    stored_object = StoredObject.of({"ContentLength": len(CONTENT), **head}, {"ContentLength": PART_BYTES})
    file = tmp_path / "part"
    file.write_bytes(CONTENT)
    assert verify_download(file, stored_object) == "size"


def safetensors(weights: int) -> bytes:
    """Make a file of that format."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [weights], "data_offsets": [0, weights]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(weights)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (safetensors(1000), None),
        (safetensors(1000)[:-1], "cut off: 1,000 bytes of weights are declared, 999 are there"),
        (safetensors(1000)[:20], "cut off within its header"),
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"\x08" + bytes(7) + b"{broken}" + b"x" * 100, "its header is not JSON"),
        (b"\x02" + bytes(7) + b"[]", "its header is no JSON object"),
        (b"\x09" + bytes(7) + b"{}", "cut off within its header"),
        (b"anything else", "it is no safetensors file"),
        (b"short", "it is no safetensors file"),
        (b"\x0a" + bytes(7) + b'{"a": 1}  ', None),  # for SD Web UI to judge
    ],
)
def test_files_that_cannot_be_models_are_detected(tmp_path: Path, content: bytes, why: str | None) -> None:
    file = tmp_path / "part"
    file.write_bytes(content)
    defect = defect_of(file, name="m.safetensors")
    assert defect is None if why is None else why in str(defect)


def test_a_truncated_checkpoint_archive_is_detected(tmp_path: Path) -> None:
    file = tmp_path / "part"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", CONTENT)
    assert defect_of(file, name="m.ckpt") is None
    file.write_bytes(file.read_bytes()[:-40])
    assert "cut off" in str(defect_of(file, name="m.ckpt"))


def test_the_hash_of_early_web_uis(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"a" * 0x100000 + b"b" * 0x20000)
    assert old_hash_of(file) == hashlib.sha256(b"b" * 0x10000).hexdigest()[:8]
