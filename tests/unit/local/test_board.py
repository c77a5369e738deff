"""The numbers in the terminal."""

import io
from datetime import UTC, datetime

from rich.console import Console

from domain import metrics as m
from domain.metrics import emf_line
from local.board import Board

AT = datetime(2026, 11, 22, tzinfo=UTC)


def line(values: dict[m.Metric, float], **facts: str) -> str:
    """Return a metrics line of a runtime."""
    return emf_line("ns", values, at=AT, properties={"runtime": "sdruntime", **facts})


def shown(board: Board) -> dict[str, str]:
    """Return the table's rows as they are printed: metric to the rest."""
    console = Console(file=io.StringIO(), width=200)
    console.print(board.table())
    rows = [row.split("│") for row in console.file.getvalue().splitlines() if row.startswith("│")]  # type: ignore[attr-defined]
    return {cells[1].strip(): " ".join(cell.strip() for cell in cells[3:]).strip() for cells in rows}


def test_counts_add_up_and_seconds_average() -> None:
    """In the order of the list, a code for itself."""
    board = Board()
    for seconds in (1.0, 3.0):
        board.take(line({m.COMPLETED: 1, m.IMAGES: 4, m.INFERENCE_SECONDS: seconds}))
    board.take(line({m.FAILURES_BY_CODE: 1}, code="no_images"))
    board.take(line({m.GPU_BUSY_SECONDS: 2.5}))
    board.take(line({m.GPU_BUSY_SECONDS: 0.5}))
    rows = shown(board)
    assert rows == {
        "TasksCompleted": "2",
        "FailuresByCode no_images": "1",
        "Images": "8",
        "InferenceSeconds": "2.00, at most 3.00",
        "GpuBusySeconds": "3.0 in all",
    }
    assert next(iter(rows)) == "TasksCompleted"


def test_a_line_is_told_in_short() -> None:
    """For an output that is no terminal; other lines are none of its business."""
    board = Board()
    assert board.take(line({m.FAILURES_BY_CODE: 1}, code="no_images", task_id="a")) == (
        "measured a no_images: FailuresByCode=1"
    )
    assert board.take('{"level":"INFO","message":"consumer started"}') is None
    assert board.take('{"_aws": broken') is None
    assert board.take("Traceback") is None


def test_what_has_no_runtime_has_a_column() -> None:
    """Refusals of the API."""
    board = Board()
    board.take(emf_line("ns", {m.REJECTED: 1}, at=AT, properties={"code": "invalid_task"}))
    assert shown(board) == {"TasksRejected invalid_task": "1"}
