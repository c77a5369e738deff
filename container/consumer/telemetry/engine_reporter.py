"""Report to the API what the engine lists, so that it can refuse or warn of names that nobody knows."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReports
from domain.errors import PermanentError, RetryableError
from runtimes.base import EngineNames

CHECK_SECONDS: Final = 60.0
"""How soon the API learns of a new model."""

REPORT_SECONDS: Final = 86_400.0
"""Unchanged names are reported again after this time, in case somebody deleted the report."""

_log = logging.getLogger(__name__)


class EngineReporter:
    """Reports names at start and on changes, in a separate thread because an engine may hang."""

    def __init__(
        self,
        names: Callable[[], EngineNames],
        reports: RuntimeReports,
        *,
        runtime: str,
        check_seconds: float = CHECK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._reports = reports
        self._runtime = runtime
        self._check_seconds = check_seconds
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine reporter", daemon=True)
        self._last_report: tuple[float, EngineNames] | None = None

    def start(self) -> None:
        """Start reporting; the engine must be ready."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reporting; the last report remains."""
        self._stop.set()

    def report_changes(self) -> None:
        """Report the names if they have changed since the last report."""
        try:
            names = _sorted(self._names())
            reported_at = self._clock()
            if self._last_report is not None:
                last_reported_at, last_names = self._last_report
                if names == last_names and reported_at - last_reported_at < REPORT_SECONDS:
                    return
            self._reports.write(self._runtime, names)
            self._last_report = reported_at, names
            _log.info("engine's names reported", extra={"names": sum(map(len, names.models.values()))})
        except (RetryableError, PermanentError, BotoCoreError, ClientError):
            _log.warning("the engine's names could not be reported to the API: trying again", exc_info=True)

    def _run(self) -> None:
        while True:
            try:
                self.report_changes()
            except Exception:  # noqa: BLE001 - an engine may answer anything
                # Without this thread, the API would keep names that are old.
                _log.exception("the engine's names cannot be read: trying again")
            if self._stop.wait(self._check_seconds):
                return


def _sorted(names: EngineNames) -> EngineNames:
    """Return the names in an order that does not change as long as they do not."""
    models, others = (
        {key: sorted(set(listed)) for key, listed in lists.items()} for lists in (names.models, names.names)
    )
    return EngineNames(models, others)
