"""Archived dead letters in S3: the dead-letter Lambda writes them, and an operator redrives them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from domain.keys import ARCHIVE_PREFIX, archive_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UNKNOWN_RUNTIME: Final = "unknown"
_CLEAN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """An archived message: its key, and its body as it was received."""

    key: str
    body: str


class Archive:
    """Store and read dead-lettered messages in the large-task bucket."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def store(
        self, body: str, *, message_id: str, runtime: str | None, day: date, metadata: Mapping[str, str]
    ) -> str:
        """Store a body unchanged and return its key; `metadata` is stored with the object, as ASCII."""
        clean = runtime if runtime and _CLEAN.fullmatch(runtime) else UNKNOWN_RUNTIME
        key = archive_key(day.isoformat(), clean, message_id)
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=body.encode(errors="surrogatepass"),
            ContentType="application/json",
            Metadata={name: value.encode("ascii", "replace").decode() for name, value in metadata.items()},
        )
        return key

    def find(
        self, *, day: str, runtime: str | None = None, message_id: str | None = None
    ) -> Iterator[ArchivedMessage]:
        """Yield the messages archived on a day (`YYYY-MM-DD`), optionally of one runtime or with one id."""
        folder = f"{ARCHIVE_PREFIX}{day}/" + (f"{runtime}/" if runtime else "")
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                if message_id is None or key.endswith(f"/{message_id}.json"):
                    answer = self._s3.get_object(Bucket=self._bucket, Key=key)
                    yield ArchivedMessage(key, answer["Body"].read().decode(errors="surrogatepass"))
