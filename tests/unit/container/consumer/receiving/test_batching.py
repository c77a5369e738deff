"""The order in which a batcher returns waiting messages."""

import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from container.consumer.job import Delivery
from container.consumer.receiving.batching import AffinityBatcher
from domain.routing import Runtime
from runtimes.base import RuntimeType
from runtimes.registry import RUNTIME_TYPES
from runtimes.sdwebui.runtime_type import SdWebUi
from tests.support.deliveries import FakeQueue, delivery, delivery_for_checkpoint, message


def affinity_by(rules: RuntimeType) -> Callable[[dict[str, Any]], str | None]:
    """Return how a batcher asks the rules of a runtime type."""
    return lambda content: rules.affinity(content, Runtime("r", rules.name))


def new_batcher(queue: FakeQueue, **settings: Any) -> AffinityBatcher:
    """Return a batcher for a queue, with its backlog known."""
    values: dict[str, Any] = {
        "size": 10,
        "max_overtakes": 20,
        "max_seconds": 1000.0,
        "receive_seconds": 5,
    } | settings
    batcher = AffinityBatcher(queue, **({"affinity": affinity_by(SdWebUi())} | values))
    batcher.refresh()
    return batcher


def process_all(batcher: AffinityBatcher) -> str:
    """Take all messages and return the ids of their tasks, in the order in which they came."""
    ids = []
    while waiting := batcher.next():
        batcher.refresh()
        ids.append(waiting.message.task.id if waiting.message else "?")
    return " ".join(ids)


def tasks(checkpoints: str) -> FakeQueue:
    """Return a queue with one task for each letter, which is the name of its checkpoint."""
    return FakeQueue(
        delivery_for_checkpoint(f"{letter}{number}", letter) for number, letter in enumerate(checkpoints)
    )


def switches(ids: str) -> int:
    """Count how often the checkpoint changes."""
    letters = [task_id[0] for task_id in ids.split()]
    return sum(a != b for a, b in itertools.pairwise(letters))


def test_tasks_of_the_current_checkpoint_go_first() -> None:
    ids = process_all(new_batcher(tasks("abcabcabc")))
    assert ids == "a0 a3 a6 b1 b4 b7 c2 c5 c8"


def test_24_tasks_with_three_checkpoints_need_few_switches() -> None:
    assert switches(process_all(new_batcher(tasks("abc" * 8)))) <= 4


def test_a_static_runtime_knows_whether_more_tasks_wait_than_there_are_workers() -> None:
    registry: Any = SimpleNamespace(count=3)
    assert new_batcher(tasks("aaaa"), size=1, registry=registry).has_more_messages_than_workers()
    assert not new_batcher(tasks("aaa"), size=1, registry=registry).has_more_messages_than_workers()


def test_with_size_1_the_order_of_the_queue_is_kept() -> None:
    queue = tasks("abab")
    assert process_all(new_batcher(queue, size=1)) == "a0 b1 a2 b3"


def test_the_oldest_task_goes_first_after_it_was_overtaken_often_enough() -> None:
    assert process_all(new_batcher(tasks("abaaaa"), max_overtakes=2)) == "a0 a2 a3 b1 a4 a5"


def test_the_oldest_task_goes_first_after_it_waited_long_enough() -> None:
    now = [0.0]
    batcher = new_batcher(tasks("abaaaa"), max_seconds=10.0, clock=lambda: now[0])
    first = [batcher.next(), batcher.next()]
    now[0] = 10.0
    third = batcher.next()
    assert [prepared.message.task.id for prepared in (*first, third) if prepared and prepared.message] == [
        "a0",
        "a2",
        "b1",
    ]


def test_a_worker_takes_at_most_its_share_of_the_backlog() -> None:
    """Otherwise an idle worker would find an empty queue."""
    batcher = new_batcher(tasks("abababab"), registry=SimpleNamespace(count=4))
    batcher.next()
    assert len(batcher.deliveries()) == 1


def test_a_task_without_a_checkpoint_needs_no_switch() -> None:
    queue = FakeQueue(
        [
            delivery_for_checkpoint("a0", "a"),
            delivery_for_checkpoint("b1", "b"),
            delivery_for_checkpoint("x2", None),
        ]
    )
    assert process_all(new_batcher(queue)) == "a0 x2 b1"


def test_the_batcher_waits_for_messages_only_if_it_has_none() -> None:
    queue = tasks("ab")
    batcher = new_batcher(queue)
    batcher.next()
    batcher.next()
    assert queue.wait_seconds[0] > 0
    assert set(queue.wait_seconds[1:]) <= {0}


def test_release_makes_all_messages_visible_at_once() -> None:
    queue = tasks("abc")
    batcher = new_batcher(queue)
    batcher.next()
    waiting = batcher.deliveries()
    batcher.release()
    assert [released for released, _ in queue.released] == waiting
    assert {seconds for _, seconds in queue.released} == {0}
    assert batcher.deliveries() == []


@pytest.mark.parametrize("type_name", sorted(RUNTIME_TYPES))
@pytest.mark.parametrize("content_ref", [None, "s3://bucket/key"])
@pytest.mark.parametrize("content", [{}, {"prompt": {"1": None}}, {"prompt": 1}])
def test_a_message_whose_content_is_elsewhere_or_no_workflow_waits_like_others(
    type_name: str, content: dict[str, Any], content_ref: str | None
) -> None:
    queue = FakeQueue([delivery(replace(message(content=content), content_ref=content_ref).encode())])
    waiting = new_batcher(queue, affinity=affinity_by(RUNTIME_TYPES[type_name])).next()
    assert waiting is not None
    assert waiting.message is not None
    assert waiting.affinity is None


@pytest.mark.parametrize("body", ["", "not json", '{"metadata": {}}'])
def test_a_message_that_is_no_task_is_returned_with_its_body(body: str) -> None:
    waiting = new_batcher(FakeQueue([delivery(body)])).next()
    assert waiting is not None
    assert waiting.message is None
    assert waiting.delivery.body == body


def of_groups(*names: str, checkpoints: str = "") -> FakeQueue:
    """Return a queue with one task for each name: its group, and its place in the queue."""
    deliveries = []
    for number, name in enumerate(names):
        scripts = {"sd_model_checkpoint": checkpoints[number]} if checkpoints else {}
        task = message(f"{name}{number}", content={"alwayson_scripts": scripts})
        deliveries.append(delivery(replace(task, group=name).encode()))
    return FakeQueue(deliveries)


def test_groups_take_turns() -> None:
    assert process_all(new_batcher(of_groups(*"aaaabbc"))) == "a0 b4 c6 a1 b5 a2 a3"


def test_tasks_of_one_checkpoint_go_before_the_next_group() -> None:
    queue = of_groups(*"aabb", checkpoints="xxyx")
    assert process_all(new_batcher(queue)) == "a0 b3 a1 b2"


def test_the_oldest_task_goes_first_whatever_its_group_is_after_it_was_overtaken_often_enough() -> None:
    queue = of_groups(*"aabcdef")
    assert process_all(new_batcher(queue, max_overtakes=2)) == "a0 b2 c3 a1 d4 e5 f6"


def test_with_size_1_groups_have_no_turns() -> None:
    assert process_all(new_batcher(of_groups(*"aab"), size=1)) == "a0 a1 b2"


class LongPoll(FakeQueue):
    """A queue whose receive waits until a message becomes visible."""

    def __init__(self) -> None:
        super().__init__()
        self.receiving = threading.Event()
        self.has_message = threading.Event()

    def receive(self, *, wait_seconds: int, max_messages: int = 1) -> list[Delivery]:
        self.receiving.set()
        assert self.has_message.wait(10)
        return super().receive(wait_seconds=wait_seconds, max_messages=max_messages)


def test_a_message_that_arrives_while_the_worker_ends_is_released_and_not_claimed() -> None:
    queue = LongPoll()
    batcher = new_batcher(queue)
    with ThreadPoolExecutor(2) as pool:
        claiming = pool.submit(batcher.next)
        queue.receiving.wait()
        closing = pool.submit(batcher.close, 10)
        queue.visible = [delivery("late")]
        queue.has_message.set()
        closing.result()
        assert claiming.result() is None
    assert [one.body for one, _ in queue.released] == ["late"]
    assert batcher.next() is None


class SlowRelease(FakeQueue):
    """A queue whose release takes as long as a test wants."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        super().__init__(deliveries)
        self.releasing = threading.Event()
        self.may_end = threading.Event()

    def release(self, delivery: Delivery, seconds: int) -> None:
        self.releasing.set()
        assert self.may_end.wait(10)
        super().release(delivery, seconds)


def test_all_messages_are_released_when_the_batcher_is_closed_also_by_another_thread() -> None:
    queue = SlowRelease([delivery_for_checkpoint("a", "a"), delivery_for_checkpoint("b", "b")])
    batcher = new_batcher(queue)
    assert batcher.next()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(batcher.release)
        queue.releasing.wait()
        closing = pool.submit(batcher.close, 10)
        with pytest.raises(TimeoutError):
            closing.result(0.2)
        queue.may_end.set()
        closing.result()
        assert len(queue.released) == 1
