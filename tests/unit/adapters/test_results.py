"""The order in which a finished task's orphaned objects are deleted and its callback is sent."""

from typing import Any

from adapters.results import Results
from domain.row import Row

ROW = Row(
    {
        "id": "t",
        "submission_id": "s",
        "runtime": "r",
        "tasktype": "text-to-image",
        "prefix": "p",
        "status": "failed",
        "api_version": "v1alpha2",
        "error": {"code": "engine_error", "message": "m"},
        "finished_at": "2026-11-22T17:00:00.000Z",
    }
)


class Recorder:
    """Stands for the topic, the table and the cleaner of orphans, and records the order of the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def publish(self, **_message: Any) -> None:
        self.calls.append("published")

    def write(self, _task_id: str, _transition: Any) -> None:
        self.calls.append("recorded")

    def delete_orphans(self, _row: Row) -> None:
        self.calls.append("orphans deleted")


def test_orphans_are_deleted_before_a_callback_can_let_the_id_be_used_again() -> None:
    recorder = Recorder()
    Results(recorder, "arn", recorder, recorder).notify(ROW)  # type: ignore[arg-type]
    assert recorder.calls == ["orphans deleted", "published", "recorded"]
