"""The order of waiting messages."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from container.consumer.receiving.batching import AffinityBatcher
from runtimes.sdwebui.runtime_type import SdWebUi
from tests.support.deliveries import FakeQueue, delivery, of_checkpoint


def window(queue: FakeQueue, **settings: Any) -> AffinityBatcher:
    """Return a window over a queue, with its backlog known."""
    values: dict[str, Any] = {
        "size": 10,
        "max_overtakes": 20,
        "max_seconds": 1000.0,
        "receive_seconds": 5,
    } | settings
    made = AffinityBatcher(queue, affinity=SdWebUi().affinity, **values)
    made.refresh()
    return made


def order(made: AffinityBatcher) -> str:
    """Take everything; return the tasks' ids in the order in which they came out."""
    ids = []
    while waiting := made.next():
        made.refresh()
        ids.append(waiting.message.task.id if waiting.message else "?")
    return " ".join(ids)


def tasks(checkpoints: str) -> FakeQueue:
    """Return a queue with a task for each letter, which names its checkpoint."""
    return FakeQueue(of_checkpoint(f"{letter}{n}", letter) for n, letter in enumerate(checkpoints))


def switches(ids: str) -> int:
    """Count how often the checkpoint changes."""
    letters = [one[0] for one in ids.split()]
    return sum(a != b for a, b in itertools.pairwise(letters))


def test_tasks_of_the_chosen_checkpoint_go_first() -> None:
    """Three in turn cost a switch a checkpoint, not one a task."""
    ids = order(window(tasks("abcabcabc")))
    assert ids == "a0 a3 a6 b1 b4 b7 c2 c5 c8"


def test_24_tasks_over_three_models_switch_rarely() -> None:
    """The case of the benchmark, without its clock."""
    assert switches(order(window(tasks("abc" * 8)))) <= 4


def test_size_1_keeps_the_queues_order() -> None:
    """A static runtime looks at one message."""
    queue = tasks("abab")
    assert order(window(queue, size=1)) == "a0 b1 a2 b3"


def test_the_oldest_goes_first_once_it_was_overtaken_often_enough() -> None:
    """No checkpoint starves."""
    assert order(window(tasks("abaaaa"), max_overtakes=2)) == "a0 a2 a3 b1 a4 a5"


def test_the_oldest_goes_first_once_it_waited_long_enough() -> None:
    """Nor does it where jobs are slow."""
    now = [0.0]
    made = window(tasks("abaaaa"), max_seconds=10.0, clock=lambda: now[0])
    first = [made.next(), made.next()]
    now[0] = 10.0
    third = made.next()
    assert [one.message.task.id for one in (*first, third) if one and one.message] == ["a0", "a2", "b1"]


def test_no_more_is_held_than_this_consumers_share() -> None:
    """Four consumers and eight messages: two each, so that no idle sibling finds an empty queue."""
    made = window(tasks("abababab"), registry=SimpleNamespace(count=4))
    made.next()
    assert len(made.deliveries()) == 1


def test_a_task_without_checkpoint_costs_no_switch() -> None:
    """Upscaling runs on any."""
    queue = FakeQueue([of_checkpoint("a0", "a"), of_checkpoint("b1", "b"), of_checkpoint("x2", None)])
    assert order(window(queue)) == "a0 x2 b1"


def test_nobody_waits_for_a_fuller_window() -> None:
    """The long poll is for an empty hand only."""
    queue = tasks("ab")
    made = window(queue)
    made.next()
    made.next()
    assert queue.waits[0] > 0
    assert set(queue.waits[1:]) <= {0}


def test_what_is_held_is_given_back_on_leaving() -> None:
    """At once, for others."""
    queue = tasks("abc")
    made = window(queue)
    made.next()
    job = made.deliveries()
    made.release()
    assert [one for one, _ in queue.released] == job
    assert {seconds for _, seconds in queue.released} == {0}
    assert made.deliveries() == []


@pytest.mark.parametrize("body", ["", "not json", '{"metadata": {}}'])
def test_what_is_no_task_comes_out_with_its_body(body: str) -> None:
    """It is dead-lettered by whoever takes it."""
    waiting = window(FakeQueue([delivery(body)])).next()
    assert waiting is not None
    assert waiting.message is None
    assert waiting.delivery.body == body
