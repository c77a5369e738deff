"""Show the metrics of a running pipeline in the terminal, from the log lines that CloudWatch would read."""

import json
import threading
from collections.abc import Iterator
from typing import Any, Final

from rich.table import Table

from domain.metrics import ACTION, CODE, METRICS, RUNTIME, Metric, Unit

ALL_RUNTIMES: Final = "all"
"""The title of the column for metrics that have no runtime, such as those of the functions."""

# Of other metrics in seconds, average and maximum are shown.
_SUMMED_SECONDS: Final = frozenset({"GpuBusySeconds", "GpuIdleSeconds", "WastedGpuSeconds"})
_BY_NAME: Final = {metric.name: metric for metric in METRICS}
_ORDER: Final = {metric.name: index for index, metric in enumerate(METRICS)}
# Each consumer reports 1 every few seconds, so that a sum over the run says nothing.
_HIDDEN: Final = frozenset({"Consumers"})


class MetricsBoard:
    """Sums up metrics from lines in the embedded metric format; can be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], dict[str, list[float]]] = {}

    def add(self, line: str) -> str | None:
        """Add a line and return a short form of it, or None if it contains no metrics."""
        parsed = read_metrics(line)
        if parsed is None:
            return None
        body, metrics = parsed
        column = str(body.get(RUNTIME) or ALL_RUNTIMES)
        for metric in metrics:
            self._add_value(metric, _dimensions(metric, body), column, float(body[metric.name]))
        values = " ".join(f"{metric.name}={body[metric.name]:g}" for metric in metrics)
        subject = " ".join(str(body[name]) for name in ("task_id", CODE, ACTION) if body.get(name))
        return f"metrics of {subject}: {values}" if subject else f"metrics: {values}"

    def table(self) -> Table:
        """Return all metrics so far as a table with one row per metric and one column per runtime."""
        table = Table(title="metrics since the start", title_justify="left")
        table.add_column("metric")
        table.add_column("unit")
        with self._lock:
            columns = sorted({column for cells in self._values.values() for column in cells})
            for column in columns:
                table.add_column(column, justify="right")
            for (name, dimensions), cells in sorted(self._values.items(), key=_table_order):
                metric = _BY_NAME[name]
                texts = (_cell_text(metric, cells[column]) if column in cells else "" for column in columns)
                table.add_row(f"{name} {dimensions}".strip(), metric.unit.value.lower(), *texts)
        return table

    def _add_value(self, metric: Metric, dimensions: str, column: str, value: float) -> None:
        if metric.name in _HIDDEN:
            return
        with self._lock:
            # Count, sum, maximum, latest.
            cell = self._values.setdefault((metric.name, dimensions), {}).setdefault(
                column, [0, 0, value, value]
            )
            cell[:] = [cell[0] + 1, cell[1] + value, max(cell[2], value), value]


def read_metrics(line: str) -> tuple[dict[str, Any], list[Metric]] | None:
    """Return the JSON of a line and the metrics in it, or None for any other line."""
    if not line.startswith('{"_aws"'):
        return None
    try:
        body = json.loads(line)
        metrics = list(_metrics(body))
    except (ValueError, KeyError, TypeError):
        return None
    return body, metrics


def _metrics(body: dict[str, Any]) -> Iterator[Metric]:
    for directive in body["_aws"]["CloudWatchMetrics"]:
        for definition in directive["Metrics"]:
            if definition["Name"] in _BY_NAME:
                yield _BY_NAME[definition["Name"]]


def _dimensions(metric: Metric, body: dict[str, Any]) -> str:
    """Return the dimensions that distinguish lines of one metric: an error code or a sweep action."""
    names = {name for dimension_set in metric.dimension_sets for name in dimension_set} - {RUNTIME}
    return " ".join(str(body[name]) for name in sorted(names))


def _table_order(entry: tuple[tuple[str, str], Any]) -> tuple[int, str]:
    (name, dimensions), _ = entry
    return _ORDER[name], dimensions


def _cell_text(metric: Metric, cell: list[float]) -> str:
    count, total, maximum, latest = cell
    if metric.unit is Unit.COUNT:
        return f"{total:g}"
    if metric.unit is Unit.MEGABYTES:
        return f"{latest:,.0f}"
    if metric.name in _SUMMED_SECONDS:
        return f"total {total:.1f}"
    return f"average {total / count:.2f}, maximum {maximum:.2f}"
