"""The last reports of the runtimes' workers, kept for a moment in each Lambda environment."""

import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReport, RuntimeReports
from functions.log import error_fields, logger


class UnreadableReport(Exception):
    """Whether there is a report is not known, because S3 did not answer."""


class LastReports:
    """Reads reports, each at most once in a while."""

    def __init__(self, reports: RuntimeReports, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._reports = reports
        self._clock = clock
        self._known: dict[str, tuple[float, RuntimeReport | None]] = {}

    def last_if_readable(self, runtime: str) -> RuntimeReport | None:
        """Return the last report, or None if there is none or S3 does not answer."""
        try:
            return self.read(runtime, since=self._clock())
        except UnreadableReport:
            return None

    def read(self, runtime: str, *, since: float) -> RuntimeReport | None:
        """Return the last report, read after the time `since`, or None if there is none.

        Raise UnreadableReport if S3 does not answer.
        """
        if runtime in self._known and self._known[runtime][0] >= since:
            return self._known[runtime][1]
        read_at = self._clock()
        try:
            report = self._reports.read(runtime)
        except (BotoCoreError, ClientError) as error:
            logger.warning("the report of the runtime's workers could not be read", extra=error_fields(error))
            raise UnreadableReport(runtime) from None
        self._known[runtime] = read_at, report
        return report
