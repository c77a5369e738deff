"""A worker reports its checkpoints when it starts and when they change."""

import logging
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.telemetry.engine_reporter import REPORT_SECONDS, EngineReporter
from domain.errors import ErrorCode, RetryableError
from runtimes.base import EngineNames
from runtimes.sdwebui.model_names import CHECKPOINT_FOLDER


class Engine:
    """An engine with the models that the test sets."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = [{"title": "a.safetensors", "model_name": "a", "hash": None}]
        self.hangs = False

    def get(self, _path: str) -> Any:
        if self.hangs:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "it does not answer")
        return self.entries

    def post(self, _path: str, _body: Any, **_more: Any) -> Any:
        raise AssertionError


class Reports:
    """Records reports; the first write can fail."""

    def __init__(self, *, failing: int = 0) -> None:
        self.written: list[tuple[str, list[str]]] = []
        self._failing = failing

    def write(self, runtime: str, names: EngineNames) -> None:
        if self._failing:
            self._failing -= 1
            raise ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "PutItem")
        self.written.append((runtime, list(names.models[CHECKPOINT_FOLDER])))


def reporter(engine: Any, reports: Any, clock: Any = lambda: 0.0) -> EngineReporter:
    """Return a reporter whose thread is not started."""

    def names() -> EngineNames:
        return EngineNames({CHECKPOINT_FOLDER: EngineModelLists(engine).checkpoint_names()})

    return EngineReporter(names, reports, runtime="r", clock=clock)


def test_every_name_of_every_checkpoint_is_reported_once() -> None:
    reports = Reports()
    reporting = reporter(Engine(), reports)
    reporting.report_changes()
    reporting.report_changes()

    assert reports.written == [("r", ["a", "a.safetensors"])]


def test_a_change_is_reported() -> None:
    engine, reports = Engine(), Reports()
    reporting = reporter(engine, reports)
    reporting.report_changes()
    engine.entries[0] |= {"title": "a.safetensors [0123456789]", "hash": "0123456789", "sha256": "01" * 32}
    reporting.report_changes()

    assert "0123456789" in reports.written[1][1]


def test_unchanged_names_are_reported_again_after_a_day() -> None:
    at = [0.0]
    reports = Reports()
    reporting = reporter(Engine(), reports, lambda: at[0])
    reporting.report_changes()
    at[0] = REPORT_SECONDS + 1
    reporting.report_changes()

    assert len(reports.written) == 2


def test_a_report_that_failed_is_repeated_at_the_next_check() -> None:
    engine, reports = Engine(), Reports(failing=1)
    reporting = reporter(engine, reports)
    engine.hangs = True
    reporting.report_changes()
    engine.hangs = False
    reporting.report_changes()
    assert reports.written == []
    reporting.report_changes()

    assert len(reports.written) == 1


@pytest.mark.parametrize("listed", [["a", None], 5], ids=["a name that is none", "no list"])
def test_names_are_reported_after_an_answer_that_nobody_expects(
    caplog: pytest.LogCaptureFixture, listed: Any
) -> None:
    lists = iter([listed, ["b"]])
    is_reported = threading.Event()

    class Recording(Reports):
        def write(self, runtime: str, names: EngineNames) -> None:
            super().write(runtime, names)
            is_reported.set()

    reports: Any = Recording()
    reporting = EngineReporter(
        lambda: EngineNames({CHECKPOINT_FOLDER: next(lists, ["b"])}), reports, runtime="r", check_seconds=0.01
    )
    reporting.start()
    assert is_reported.wait(10)
    reporting.stop()

    assert reports.written == [("r", ["b"])]
    assert [entry.levelno for entry in caplog.records if entry.exc_info] == [logging.ERROR]
