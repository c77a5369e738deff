"""Report to the API which models the engine has, so that it can refuse tasks with unknown ones."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReports
from domain.errors import PermanentError, RetryableError

CHECK_SECONDS: Final = 60.0
"""How soon the API learns of a new model."""

REPORT_SECONDS: Final = 86_400.0
"""An unchanged list is reported again after this time, because a report expires after some weeks."""

_log = logging.getLogger(__name__)


class ModelReporter:
    """Reports the models at start and on changes, in a separate thread because an engine may hang."""

    def __init__(
        self,
        model_names: Callable[[], Iterable[str]],
        reports: RuntimeReports,
        *,
        runtime: str,
        check_seconds: float = CHECK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model_names = model_names
        self._reports = reports
        self._runtime = runtime
        self._check_seconds = check_seconds
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model reporter", daemon=True)
        self._last_report: tuple[float, list[str]] | None = None

    def start(self) -> None:
        """Start reporting; the engine must be ready."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reporting; the last report remains."""
        self._stop.set()

    def report_changes(self) -> None:
        """Report the models if they have changed since the last report."""
        try:
            names = sorted(self._model_names())
            reported_at = self._clock()
            if self._last_report is not None:
                last_reported_at, last_names = self._last_report
                if names == last_names and reported_at - last_reported_at < REPORT_SECONDS:
                    return
            self._reports.write(self._runtime, names)
            self._last_report = reported_at, names
            _log.info("models reported", extra={"names": len(names)})
        except (RetryableError, PermanentError, BotoCoreError, ClientError):
            _log.warning("the models could not be reported to the API: trying again", exc_info=True)

    def _run(self) -> None:
        self.report_changes()
        while not self._stop.wait(self._check_seconds):
            self.report_changes()
