"""Check at submit that the models of a task exist in the model bucket or in its runtime's engine."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReports
from domain.envelope import Submission
from domain.errors import ErrorCode, Fault, refuse
from domain.routing import Runtime
from functions.log import about_error, logger
from runtimes.base import ModelRequirement, RuntimeType
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HIT_SECONDS: Final = 60.0
"""How long a model that was found is assumed to exist. A model that was not found is looked up each time."""

MAX_PAGES: Final = 10
"""Largest number of pages (of 1,000 objects) that are listed per folder, so that a request takes seconds, not
minutes."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The models of one runtime: files by folder, and the engine's names; None means unknown."""

    at: float
    files: dict[str, Collection[str] | None]
    listed: Collection[str] | None


class KnownModels:
    """Look models up when a task is submitted; if a lookup is inconclusive, the worker decides."""

    def __init__(
        self,
        *,
        s3: "S3Client",
        bucket: str,
        reports: RuntimeReports,
        types: RuntimeTypes = RUNTIME_TYPES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._reports = reports
        self._types = types
        self._clock = clock
        self._snapshots: dict[str, _Snapshot] = {}

    def check(self, submission: Submission) -> None:
        """Raise InvalidTask naming each model that is neither in the bucket nor in the runtime's engine."""
        runtime = submission.runtime
        runtime_type = self._types[runtime.type]
        required = [
            model
            for model in runtime_type.models(submission.task.content, runtime)
            if model.folder in runtime_type.submit_folders
        ]
        if required and not self._found_before(runtime_type, runtime, required):
            snapshot = self._take_snapshot(runtime_type, runtime)
            faults = [
                fault
                for model in required
                for fault in _faults(runtime_type, model, snapshot, submission.content_path)
            ]
            refuse(faults)

    def _found_before(
        self, runtime_type: RuntimeType, runtime: Runtime, required: list[ModelRequirement]
    ) -> bool:
        snapshot = self._snapshots.get(runtime.name)
        if snapshot is None or self._clock() - snapshot.at > HIT_SECONDS:
            return False
        return all(
            runtime_type.look_up(model, snapshot.files[model.folder] or (), snapshot.listed or ()).exists
            for model in required
        )

    def _take_snapshot(self, runtime_type: RuntimeType, runtime: Runtime) -> _Snapshot:
        at = self._clock()
        files = {folder: self._files(folder) for folder in runtime_type.submit_folders}
        snapshot = self._snapshots[runtime.name] = _Snapshot(at, files, self._listed(runtime))
        return snapshot

    def _files(self, folder: str) -> Collection[str] | None:
        """Return the files in a folder of the bucket (none without a bucket), or None if that is unknown."""
        if not self._bucket:
            return ()
        prefix = f"{folder}/"
        found: set[str] = set()
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for number, page in enumerate(pages, 1):
                found |= {entry["Key"].removeprefix(prefix) for entry in page.get("Contents", ())}
                if number == MAX_PAGES and page.get("IsTruncated"):
                    return None
        except (BotoCoreError, ClientError) as error:
            logger.warning("the model bucket was not listed", extra=about_error(error))
            return None
        return found

    def _listed(self, runtime: Runtime) -> Collection[str] | None:
        """Return the engine's models (none before the first report), or None if they are not all known."""
        try:
            report = self._reports.read(runtime.name)
        except (BotoCoreError, ClientError) as error:
            logger.warning("the runtime's report was not read", extra=about_error(error))
            return None
        if report is None:
            return ()
        return report.models if report.complete else None


def _faults(
    runtime_type: RuntimeType, model: ModelRequirement, snapshot: _Snapshot, content_path: str
) -> list[Fault]:
    files = snapshot.files[model.folder]
    found = runtime_type.look_up(model, files or (), snapshot.listed or ())
    if found.exists is not False or files is None or snapshot.listed is None:
        return []
    return [Fault(f"{content_path}{model.path}", found.reason, ErrorCode.UNKNOWN_MODEL)]
