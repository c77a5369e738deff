"""The metrics that a worker writes once a minute."""

import logging
from typing import Any

import pytest

from container.consumer.engines.sdwebui.engine import SdWebUi
from container.consumer.telemetry.logs import METRICS_LOGGER
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from container.consumer.telemetry.worker_metrics import WorkerMetrics
from domain.errors import ErrorCode, RetryableError
from tests.support.embedded_metrics import read_metrics


class FakeWebUi:
    """A Web UI that responds to `/memory`, or does not respond."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get(self, _path: str) -> Any:
        """Return the response that it was created with."""
        if self._answer is None:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "gone")
        return self._answer


CARD = {"cuda": {"system": {"free": 2e9, "used": 22e9, "total": 24e9}}}


@pytest.mark.parametrize(
    ("answer", "memory"),
    [
        (CARD, {"GpuMemoryUsed": 22_000, "GpuMemoryFree": 2_000}),
        ({"cuda": {"error": "unavailable"}}, {}),  # 03-get-memory: a machine without a card
        ([], {}),
        (None, {}),
    ],
)
def test_gpu_memory_is_reported_in_megabytes_if_web_ui_knows_it(
    caplog: pytest.LogCaptureFixture, answer: Any, memory: dict[str, float]
) -> None:
    caplog.set_level(logging.INFO, METRICS_LOGGER)
    engine = SdWebUi(FakeWebUi(answer), None, None)  # type: ignore[arg-type]
    WorkerMetrics(TaskMetrics("ns", "r", GpuUtilization()), engine, seconds=30).write()
    values = {datum.name: datum.value for datum in read_metrics(caplog.messages[-1])}
    assert values == {"Consumers": 0.5, "GpuBusySeconds": 0, "GpuIdleSeconds": 0} | memory


def test_a_worker_is_counted_if_its_engine_answers_what_nobody_expects(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, METRICS_LOGGER)

    class Engine:
        def gauges(self) -> Any:
            raise AttributeError

    WorkerMetrics(TaskMetrics("ns", "r", GpuUtilization()), Engine(), seconds=30).write()  # type: ignore[arg-type]
    values = {datum.name: datum.value for datum in read_metrics(caplog.messages[-1])}
    assert values == {"Consumers": 0.5, "GpuBusySeconds": 0, "GpuIdleSeconds": 0}
