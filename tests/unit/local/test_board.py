"""The table of metrics that `make local` shows in the terminal."""

import io
from datetime import UTC, datetime

from rich.console import Console

from domain import metrics as m
from domain.metrics import emf_line
from local.board import MetricsBoard

AT = datetime(2026, 11, 22, tzinfo=UTC)


def line(values: dict[m.Metric, float], **facts: str) -> str:
    """Return a line with metrics of one runtime."""
    return emf_line("ns", values, at=AT, properties={"runtime": "sdruntime", **facts})


def printed_rows(board: MetricsBoard) -> dict[str, str]:
    """Return the rows of the printed table: the metric's name, and the values of all runtimes."""
    console = Console(file=io.StringIO(), width=200)
    console.print(board.table())
    rows = [row.split("│") for row in console.file.getvalue().splitlines() if row.startswith("│")]  # type: ignore[attr-defined]
    return {cells[1].strip(): " ".join(cell.strip() for cell in cells[3:]).strip() for cells in rows}


def test_counts_are_summed_and_seconds_are_averaged() -> None:
    board = MetricsBoard()
    for seconds in (1.0, 3.0):
        board.add(line({m.COMPLETED: 1, m.IMAGES: 4, m.INFERENCE_SECONDS: seconds}))
    board.add(line({m.FAILURES_BY_CODE: 1}, code="no_images"))
    board.add(line({m.GPU_BUSY_SECONDS: 2.5}))
    board.add(line({m.GPU_BUSY_SECONDS: 0.5}))
    rows = printed_rows(board)
    assert rows == {
        "TasksCompleted": "2",
        "FailuresByCode no_images": "1",
        "Images": "8",
        "InferenceSeconds": "average 2.00, maximum 3.00",
        "GpuBusySeconds": "total 3.0",
    }
    assert next(iter(rows)) == "TasksCompleted"


def test_a_line_with_metrics_is_shortened_and_other_lines_are_ignored() -> None:
    board = MetricsBoard()
    assert board.add(line({m.FAILURES_BY_CODE: 1}, code="no_images", task_id="a")) == (
        "metrics of a no_images: FailuresByCode=1"
    )
    assert board.add('{"level":"INFO","message":"consumer started"}') is None
    assert board.add('{"_aws": broken') is None
    assert board.add("Traceback") is None


def test_metrics_without_a_runtime_have_a_column_of_their_own() -> None:
    board = MetricsBoard()
    board.add(emf_line("ns", {m.REJECTED: 1}, at=AT, properties={"code": "invalid_task"}))
    assert printed_rows(board) == {"TasksRejected invalid_task": "1"}
