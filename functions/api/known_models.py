"""Check at submit the models and other names of a task against the model bucket and the workers' report."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from adapters.runtime_report import RuntimeReport
from domain.envelope import Submission
from domain.errors import ErrorCode, Fault, raise_if_any
from functions.api.model_bucket import ModelBucket
from functions.api.reports import LastReports, UnreadableReport
from runtimes.base import Lookup, ModelRequirement, RuntimeType
from runtimes.findings import UNLESS_IT_APPEARS
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

HIT_SECONDS: Final = 60.0
"""How long a name that was found is assumed to exist. Before a task is refused, what was not found is
looked up again, so that a task is accepted as soon as its model is uploaded."""

WARNED_SECONDS: Final = 5.0
"""How long what was read is used for warnings: they refuse nothing, and any task may name what is missing."""


class KnownModels:
    """Look names up when a task is submitted; if a lookup is inconclusive, the worker decides."""

    def __init__(
        self,
        *,
        bucket: ModelBucket,
        reports: LastReports,
        types: RuntimeTypes = RUNTIME_TYPES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._reports = reports
        self._types = types
        self._clock = clock

    def check(self, submission: Submission) -> list[Fault]:
        """Return a warning for each name that the runtime's workers have not reported.

        Raise InvalidTask naming each checkpoint that is neither in the bucket nor in the workers' report.
        """
        missing = self._look_up_all(submission, may_refuse=True)
        raise_if_any([fault for fault in missing if fault.code is ErrorCode.UNKNOWN_MODEL])
        return missing

    def warnings(self, submission: Submission) -> list[Fault]:
        """Return the warnings for a task that was accepted before, which is not refused any more."""
        return [
            fault
            for fault in self._look_up_all(submission, may_refuse=False)
            if fault.code is not ErrorCode.UNKNOWN_MODEL
        ]

    def _look_up_all(self, submission: Submission, *, may_refuse: bool) -> list[Fault]:
        """Return a fault for each name that is missing; its code tells a refusal."""
        moment = self._clock()
        try:
            if next(self._missing(submission, since=moment - HIT_SECONDS), None) is None:
                return []
            missing = list(self._missing(submission, since=moment - WARNED_SECONDS))
            if may_refuse and any(fault.code is ErrorCode.UNKNOWN_MODEL for fault in missing):
                missing = list(self._missing(submission, since=moment))
        except UnreadableReport:
            return []
        path = submission.content_path
        return [replace(fault, path=path + fault.path) for fault in missing]

    def _missing(self, submission: Submission, *, since: float) -> Iterator[Fault]:
        """Yield what is missing by what is known since a time."""
        runtime, task = submission.runtime, submission.task
        runtime_type = self._types[runtime.type]
        report = self._reports.read(runtime.name, since=since)
        warned = runtime_type.warned_folders if report is not None else ()
        for model in runtime_type.models(task.content, runtime):
            if model.folder not in (*runtime_type.submit_folders, *warned):
                continue
            lookup = self._look_up(runtime_type, model, report, since)
            if lookup.exists is False and model.folder in warned:
                yield Fault(model.path, f"{lookup.reason}; {UNLESS_IT_APPEARS}")
            elif lookup.exists is False:
                yield Fault(model.path, lookup.reason, ErrorCode.UNKNOWN_MODEL)
        if report is not None:
            yield from runtime_type.unlisted(task.tasktype, task.content, report.names)

    def _look_up(
        self,
        runtime_type: RuntimeType,
        model: ModelRequirement,
        report: RuntimeReport | None,
        since: float,
    ) -> Lookup:
        folders = (model.folder, *runtime_type.folder_aliases.get(model.folder, ()))
        if report is not None and model.folder not in report.models:
            return Lookup(exists=None)  # the list was too long to be reported
        files = self._bucket.names(folders, since=since)
        if files is None:
            return Lookup(exists=None)
        return runtime_type.look_up(model, files, report.models[model.folder] if report else None)
