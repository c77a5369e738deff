"""How a task is described while its caller waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sd_on_ecs.cli.progress import describe, duration


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"status": "running"}, "running"),
        ({"status": "queued", "position": None}, "queued"),
        ({"status": "queued", "position": 0}, "queued, next"),
        ({"status": "queued", "position": 3}, "queued, 3 before it"),
        ({"status": "queued", "position": 1000, "position_capped": True}, "queued, 1000+ before it"),
    ],
)
def test_the_place_in_the_queue_is_said(task: Any, words: str) -> None:
    assert describe(task) == words


def test_the_estimate_is_said_as_the_time_from_now() -> None:
    start = datetime.now(UTC) + timedelta(minutes=4)
    task: Any = {"status": "queued", "position": 3, "estimated_start": start.isoformat()}
    assert describe(task) == "queued, 3 before it, starts in about 4 min"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "1 s"), (42.4, "42 s"), (89, "89 s"), (100, "2 min"), (5400, "1.5 h")]
)
def test_an_estimate_has_the_unit_that_people_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text
