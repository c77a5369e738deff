"""The files of the model bucket, listed by folder because the API may list nothing else."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from domain.clock import iso
from functions.log import error_fields, logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_PAGES: Final = 10
"""Largest number of pages (of 1,000 objects) that are listed per folder to look a model up, so that a request
takes seconds, not minutes."""

_FAILED_SECONDS: Final = 5.0
"""How long the bucket is not asked again after it failed, because each request may take seconds to fail."""


@dataclass(frozen=True, slots=True)
class ModelObject:
    """A file of the model bucket."""

    folder: str
    name: str
    bytes: int
    modified_at: str


class ModelBucket:
    """Lists the model bucket; without a bucket, there are no files."""

    def __init__(self, s3: "S3Client", bucket: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._clock = clock
        self._listed: dict[str, tuple[float, Collection[str] | None]] = {}
        self._failed_at: float | None = None

    def names(self, folders: Iterable[str], *, since: float) -> Collection[str] | None:
        """Return the files of folders as listed after the time `since`, or None if they are not known."""
        names: set[str] = set()
        for folder in folders if self._bucket else ():
            found = self._names_in(folder, since)
            if found is None:
                return None
            names.update(found)
        return names

    def objects(self, folder: str, *, after: str = "") -> Iterator[list[ModelObject]]:
        """Yield pages of the files of a folder behind the name `after`, in the order of their keys."""
        prefix = f"{folder}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=prefix + after
        )
        for page in pages if self._bucket else ():
            yield [
                ModelObject(
                    folder, entry["Key"].removeprefix(prefix), entry["Size"], iso(entry["LastModified"])
                )
                for entry in page.get("Contents", ())
            ]

    def _names_in(self, folder: str, since: float) -> Collection[str] | None:
        if folder in self._listed and self._listed[folder][0] >= since:
            return self._listed[folder][1]
        started_at = self._clock()
        if self._failed_at is not None and started_at - self._failed_at < _FAILED_SECONDS:
            return None
        try:
            found = self._list(folder)
        except (BotoCoreError, ClientError) as error:
            self._failed_at = self._clock()
            logger.warning(
                "the model bucket could not be listed; tasks are accepted unchecked",
                extra=error_fields(error),
            )
            return None
        self._listed[folder] = started_at, found
        return found

    def _list(self, folder: str) -> Collection[str] | None:
        """Return the files of a folder, or None if there are too many."""
        found: set[str] = set()
        for number, page in enumerate(self.objects(folder), 1):
            if number > MAX_PAGES:
                return None
            found |= {each.name for each in page}
        return found
