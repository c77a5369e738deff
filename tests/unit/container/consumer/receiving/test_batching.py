"""The order in which a batcher returns waiting messages."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from container.consumer.receiving.batching import AffinityBatcher
from runtimes.sdwebui.runtime_type import SdWebUi
from tests.support.deliveries import FakeQueue, delivery, delivery_for_checkpoint


def batcher(queue: FakeQueue, **settings: Any) -> AffinityBatcher:
    """Return a batcher for a queue, with its backlog known."""
    values: dict[str, Any] = {
        "size": 10,
        "max_overtakes": 20,
        "max_seconds": 1000.0,
        "receive_seconds": 5,
    } | settings
    made = AffinityBatcher(queue, affinity=SdWebUi().affinity, **values)
    made.refresh()
    return made


def process_all(made: AffinityBatcher) -> str:
    """Take all messages; return their tasks' ids in process_all."""
    ids = []
    while waiting := made.next():
        made.refresh()
        ids.append(waiting.message.task.id if waiting.message else "?")
    return " ".join(ids)


def tasks(checkpoints: str) -> FakeQueue:
    """Return a queue with one task for each letter, which is the name of its checkpoint."""
    return FakeQueue(delivery_for_checkpoint(f"{letter}{n}", letter) for n, letter in enumerate(checkpoints))


def switches(ids: str) -> int:
    """Count how often the checkpoint changes."""
    letters = [one[0] for one in ids.split()]
    return sum(a != b for a, b in itertools.pairwise(letters))


def test_tasks_of_the_current_checkpoint_go_first() -> None:
    ids = process_all(batcher(tasks("abcabcabc")))
    assert ids == "a0 a3 a6 b1 b4 b7 c2 c5 c8"


def test_24_tasks_with_three_checkpoints_need_few_switches() -> None:
    assert switches(process_all(batcher(tasks("abc" * 8)))) <= 4


def test_a_static_runtime_knows_whether_more_tasks_wait_than_there_are_workers() -> None:
    registry: Any = SimpleNamespace(count=3)
    assert batcher(tasks("aaaa"), size=1, registry=registry).has_more_messages_than_workers()
    assert not batcher(tasks("aaa"), size=1, registry=registry).has_more_messages_than_workers()


def test_with_size_1_the_order_of_the_queue_is_kept() -> None:
    queue = tasks("abab")
    assert process_all(batcher(queue, size=1)) == "a0 b1 a2 b3"


def test_the_oldest_task_goes_first_after_it_was_overtaken_often_enough() -> None:
    assert process_all(batcher(tasks("abaaaa"), max_overtakes=2)) == "a0 a2 a3 b1 a4 a5"


def test_the_oldest_task_goes_first_after_it_waited_long_enough() -> None:
    now = [0.0]
    made = batcher(tasks("abaaaa"), max_seconds=10.0, clock=lambda: now[0])
    first = [made.next(), made.next()]
    now[0] = 10.0
    third = made.next()
    assert [one.message.task.id for one in (*first, third) if one and one.message] == ["a0", "a2", "b1"]


def test_a_worker_takes_at_most_its_share_of_the_backlog() -> None:
    """Otherwise an idle worker would find an empty queue."""
    made = batcher(tasks("abababab"), registry=SimpleNamespace(count=4))
    made.next()
    assert len(made.deliveries()) == 1


def test_a_task_without_a_checkpoint_needs_no_switch() -> None:
    queue = FakeQueue(
        [
            delivery_for_checkpoint("a0", "a"),
            delivery_for_checkpoint("b1", "b"),
            delivery_for_checkpoint("x2", None),
        ]
    )
    assert process_all(batcher(queue)) == "a0 x2 b1"


def test_the_batcher_waits_for_messages_only_if_it_has_none() -> None:
    queue = tasks("ab")
    made = batcher(queue)
    made.next()
    made.next()
    assert queue.wait_seconds[0] > 0
    assert set(queue.wait_seconds[1:]) <= {0}


def test_release_makes_all_messages_visible_at_once() -> None:
    queue = tasks("abc")
    made = batcher(queue)
    made.next()
    job = made.deliveries()
    made.release()
    assert [one for one, _ in queue.released] == job
    assert {seconds for _, seconds in queue.released} == {0}
    assert made.deliveries() == []


@pytest.mark.parametrize("body", ["", "not json", '{"metadata": {}}'])
def test_a_message_that_is_no_task_is_returned_with_its_body(body: str) -> None:
    waiting = batcher(FakeQueue([delivery(body)])).next()
    assert waiting is not None
    assert waiting.message is None
    assert waiting.delivery.body == body
