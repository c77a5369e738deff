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
REPORT_SECONDS: Final = 86_400.0
"""An unchanged list is reported again after this time, because a report expires after some weeks."""

_log = logging.getLogger(__name__)


class ModelReporter:
    """Reports the models at start and on changes, in a separate thread because an engine may hang."""

    def __init__(
        self,
        names: Callable[[], Iterable[str]],
        reports: RuntimeReports,
        *,
        runtime: str,
        seconds: float = CHECK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._reports = reports
        self._runtime = runtime
        self._seconds = seconds
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model reporter", daemon=True)
        self._reported: tuple[float, list[str]] | None = None

    def start(self) -> None:
        """Start reporting; the engine must be ready."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reporting; the last report remains."""
        self._stop.set()

    def report_changes(self) -> None:
        """Report the models if they have changed since the last report."""
        try:
            names = sorted(self._names())
            at = self._clock()
            if self._reported is not None:
                before, known = self._reported
                if names == known and at - before < REPORT_SECONDS:
                    return
            self._reports.write(self._runtime, names)
            self._reported = at, names
            _log.info("models reported", extra={"names": len(names)})
        except (RetryableError, PermanentError, BotoCoreError, ClientError):
            _log.warning("the models could not be reported", exc_info=True)

    def _run(self) -> None:
        self.report_changes()
        while not self._stop.wait(self._seconds):
            self.report_changes()
