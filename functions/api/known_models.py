"""Check at submit that the models of a task exist in the model bucket or in its runtime's engine."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReports
from domain.envelope import Submission
from domain.errors import ErrorCode, Fault, raise_if_any
from domain.routing import Runtime
from functions.log import error_fields, logger
from runtimes.base import ModelRequirement, RuntimeType
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HIT_SECONDS: Final = 60.0
"""How long a model that was found is assumed to exist. A model that was not found is looked up each time, so
that a task is accepted as soon as its model is uploaded."""

MAX_PAGES: Final = 10
"""Largest number of pages (of 1,000 objects) that are listed per folder, so that a request takes seconds, not
minutes."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The models of one runtime: files by folder, and the engine's names; None means unknown."""

    taken_at: float
    files: dict[str, Collection[str] | None]
    engine_models: Collection[str] | None


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
        if required and not self._are_in_last_snapshot(runtime_type, runtime, required):
            snapshot = self._take_snapshot(runtime_type, runtime)
            faults = [
                fault
                for model in required
                for fault in _unknown_model_faults(runtime_type, model, snapshot, submission.content_path)
            ]
            raise_if_any(faults)

    def _are_in_last_snapshot(
        self, runtime_type: RuntimeType, runtime: Runtime, required: list[ModelRequirement]
    ) -> bool:
        snapshot = self._snapshots.get(runtime.name)
        if snapshot is None or self._clock() - snapshot.taken_at > HIT_SECONDS:
            return False
        return all(
            runtime_type.look_up(
                model, snapshot.files[model.folder] or (), snapshot.engine_models or ()
            ).exists
            for model in required
        )

    def _take_snapshot(self, runtime_type: RuntimeType, runtime: Runtime) -> _Snapshot:
        taken_at = self._clock()
        aliases = runtime_type.folder_aliases
        files = {
            folder: self._bucket_files((folder, *aliases.get(folder, ())))
            for folder in runtime_type.submit_folders
        }
        snapshot = _Snapshot(taken_at, files, self._engine_models(runtime))
        self._snapshots[runtime.name] = snapshot
        return snapshot

    def _bucket_files(self, folders: Iterable[str]) -> Collection[str] | None:
        """Return the files in folders of the bucket (none without a bucket), or None if that is unknown."""
        if not self._bucket:
            return ()
        names: set[str] = set()
        for folder in folders:
            found = self._files_in(folder)
            if found is None:
                return None
            names.update(found)
        return names

    def _files_in(self, folder: str) -> Collection[str] | None:
        prefix = f"{folder}/"
        names: set[str] = set()
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for number, page in enumerate(pages, 1):
                names |= {entry["Key"].removeprefix(prefix) for entry in page.get("Contents", ())}
                if number == MAX_PAGES and page.get("IsTruncated"):
                    return None
        except (BotoCoreError, ClientError) as error:
            logger.warning(
                "the model bucket could not be listed; the task is accepted unchecked",
                extra=error_fields(error),
            )
            return None
        return names

    def _engine_models(self, runtime: Runtime) -> Collection[str] | None:
        """Return the engine's models (none before the first report), or None if they are not all known."""
        try:
            report = self._reports.read(runtime.name)
        except (BotoCoreError, ClientError) as error:
            logger.warning(
                "the report of the runtime's models could not be read; the task is accepted unchecked",
                extra=error_fields(error),
            )
            return None
        if report is None:
            return ()
        return report.models if report.complete else None


def _unknown_model_faults(
    runtime_type: RuntimeType, model: ModelRequirement, snapshot: _Snapshot, content_path: str
) -> list[Fault]:
    files = snapshot.files[model.folder]
    lookup = runtime_type.look_up(model, files or (), snapshot.engine_models or ())
    if lookup.exists is not False or files is None or snapshot.engine_models is None:
        return []
    return [Fault(f"{content_path}{model.path}", lookup.reason, ErrorCode.UNKNOWN_MODEL)]
