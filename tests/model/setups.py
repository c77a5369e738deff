"""The setups of the model checker: for the protocol itself, and for transitions without a condition."""

from tests.model.phases import FaultKind
from tests.model.steps import Setup


def _of(name: str, faults: int, kinds: str, **values: object) -> Setup:
    return Setup(name, faults, frozenset(map(FaultKind, kinds.split())), **values)  # type: ignore[arg-type]


WHOLE = (
    _of("no fault, a cancel", 0, "", cancels=1),
    _of("submitted again", 0, "", digests="ab"),
    _of("same request at once", 2, "crash lease_expired", digests="aa"),
    _of("killed and frozen", 2, "crash lease_expired redelivered"),
    _of("killed and frozen with a cancel", 2, "crash lease_expired", cancels=1),
    _of("answers lost", 2, "response_lost crash lease_expired", cancels=1),
    _of("released", 3, "interrupted invalid_task fence_reused lease_expired"),
    _of("lost and published again", 2, "crash message_lost sweep_runs"),
    _of("lost and cancelled", 2, "crash message_lost", cancels=1),
    _of("delivered twice", 2, "crash delivered_twice"),
    _of("dead-lettered and expired", 2, "dead_lettered task_too_old crash"),
    _of("published by someone else", 2, "crash lease_expired delivered_twice", is_direct=True),
    _of("outputs deleted", 1, "crash lease_expired redelivered", deletions=1),
    _of("last try", 2, "lease_expired redelivered crash fence_reused", attempts=4),
)
"""All orders of events of these setups are visited, with up to the given number of faults."""

_ONE = _of("one task", 2, "crash lease_expired redelivered")
_CANCEL = _of("cancelled", 2, "crash lease_expired redelivered", cancels=1)
_RELEASED = _of("released", 2, "crash lease_expired interrupted dead_lettered", cancels=1)
_SUBMIT = ("submit 0 reads", "submit 0 is accepted", "submit 0 publishes")
_CLAIM = (*_SUBMIT, "consumer 0 receives 0", "consumer 0 reads")
_DONE = (
    *(
        *_CLAIM,
        "consumer 0 claims with 0001",
        "consumer 0 starts",
        "consumer 0 stores",
        "consumer 0 stores",
        "consumer 0 finishes",
    ),
    *(
        "consumer 0 deletes orphans",
        "consumer 0 sends the callback",
        "consumer 0 records the callback",
        "consumer 0 deletes",
    ),
)
_RUN_1 = (
    "consumer 0 receives 1",
    "consumer 0 reads",
    "consumer 0 claims with 0001",
    "consumer 0 starts",
    "consumer 0 finds",
)
_SECOND = ("submit 1 reads", "submit 1 is accepted", "submit 1 publishes")
_THIRD = ("submit 2 reads", "submit 2 is accepted", "submit 2 publishes")


def _cancelled() -> tuple[str, ...]:
    return (
        *("cancel 0 reads", "cancel 0 is accepted: 200"),
        *("cancel 0 deletes orphans", "cancel 0 sends the callback", "cancel 0 records the callback"),
    )


_PREPARING = _of(
    "a worker prepares while its task is cancelled and submitted again",
    2,
    "interrupted invalid_task fence_reused lease_expired",
    digests="ab",
    cancels=1,
    prelude=(*_CLAIM, "consumer 0 claims with 0001", *_cancelled(), *_SECOND),
)
_CLAIMING = _of(
    "a worker has decided to claim when the task is cancelled and submitted again",
    1,
    "lease_expired",
    digests="ab",
    cancels=1,
    prelude=(*_CLAIM, *_cancelled(), *_SECOND),
)
_DEAD_LETTERING = _of(
    "the dead-letter Lambda has decided when the task is cancelled and submitted again",
    1,
    "dead_lettered lease_expired",
    digests="ab",
    cancels=1,
    prelude=(
        *_SUBMIT,
        "message 0 is dead-lettered",
        "dead letters receives",
        "dead letters reads",
        *_cancelled(),
        *_SECOND,
    ),
)
_LAST_TRY = _of(
    "two workers have decided to claim for the last try",
    2,
    "lease_expired fence_reused",
    attempts=4,
    prelude=(*_CLAIM, "message 0 is visible while processed", "consumer 1 receives 0", "consumer 1 reads"),
)
_NOTIFYING = _of(
    "a worker is about to record its callback when another one does and the id is submitted again",
    0,
    "redelivered",
    digests="ab",
    prelude=(
        *_DONE[:-2],
        *(
            "message 0 is visible while processed",
            "consumer 1 receives 0",
            "consumer 1 reads",
            "consumer 1 deletes orphans",
            "consumer 1 sends the callback",
            "consumer 1 records the callback",
        ),
        *_SECOND,
    ),
)
_ASKING = _of(
    "a cancel is under way as the task finishes and its id is submitted again",
    0,
    "",
    digests="ab",
    cancels=1,
    prelude=(
        *_CLAIM,
        "consumer 0 claims with 0001",
        "consumer 0 starts",
        "cancel 0 reads",
        *_DONE[-7:],
        *_SECOND,
    ),
)
_OVERTAKE = (
    "the lease expires",
    "message 0 is visible while processed",
    "consumer 1 receives 0",
    "consumer 1 reads",
)
_OVERTAKEN = _of(
    "a worker wakes after another took over",
    1,
    "interrupted invalid_task",
    prelude=(*_CLAIM, "consumer 0 claims with 0001", *_OVERTAKE, "consumer 1 claims with 0002"),
)
_OVERTAKING = _of(
    "a worker has decided to claim a running task that is then cancelled",
    0,
    "",
    cancels=1,
    prelude=(*_CLAIM, "consumer 0 claims with 0001", "consumer 0 starts", *_OVERTAKE),
)
_COPIED = _of("a copy of a message is dead-lettered", 2, "dead_lettered delivered_twice")
_AGAIN = _of(
    "the same new request twice, on one finished row",
    0,
    "",
    digests="abb",
    prelude=(*_DONE, "submit 1 reads", *_THIRD),
)
_TAKEN = _of(
    "a worker finds an object's name taken",
    2,
    "lease_expired fence_reused redelivered dead_lettered",
    digests="ab",
    prelude=(*_DONE, *_SECOND, *_RUN_1),
)
_TAKEN_OVER = _of(
    "a worker finds an object's name taken, and is frozen until another claims its task",
    1,
    "fence_reused",
    digests="ab",
    prelude=(
        *(*_DONE, *_SECOND, *_RUN_1, "the lease expires", "message 1 is visible while processed"),
        *("consumer 1 receives 1", "consumer 1 reads", "consumer 1 claims with 0002"),
    ),
)
_TAKEN_LATE = _of(
    "a worker finds an object's name taken, and is frozen while the id is submitted again",
    0,
    "redelivered lease_expired dead_lettered",
    digests="abc",
    prelude=(
        *(
            *_DONE,
            *_SECOND,
            *_RUN_1,
            "the lease expires",
            "message 1 is visible while processed",
            "message 1 is dead-lettered",
        ),
        *("dead letters receives", "dead letters reads", "dead letters ends the task"),
        *(
            "dead letters deletes orphans",
            "dead letters sends the callback",
            "dead letters records the callback",
            "dead letters archives",
        ),
        *(*_THIRD, "consumer 1 receives 2", "consumer 1 reads", "consumer 1 claims with 0001"),
    ),
)
_TAKEN_TWICE = _of(
    "a worker replaces its fence while an earlier one is frozen",
    1,
    "redelivered lease_expired fence_reused crash",
    digests="ab",
    prelude=(
        *(
            *_CLAIM,
            "consumer 0 claims with 0001",
            "consumer 0 crashes",
            "the lease expires",
            "message 0 is visible again",
        ),
        *("consumer 0 receives 0", "consumer 0 reads", "consumer 0 claims with 0002", *_DONE[-8:]),
        *(
            *_SECOND,
            "consumer 0 receives 1",
            "consumer 0 reads",
            "consumer 0 claims with 0001",
            "the lease expires",
            "message 1 is visible while processed",
        ),
        *(
            "consumer 1 receives 1",
            "consumer 1 reads",
            "consumer 1 claims with 0002",
            "consumer 1 starts",
            "consumer 1 finds",
        ),
    ),
)

_DELETING = _of(
    "outputs are deleted while the id is submitted again",
    0,
    "",
    digests="ab",
    deletions=1,
    prelude=(*_DONE, "delete 0 reads", "delete 0 deletes", *_SECOND),
)

FOR_TRANSITION: dict[str, tuple[Setup, ...]] = {
    "submit": (_of("two submits", 0, "", digests="ab"),),
    "resubmit": (_of("two submits", 0, "", digests="ab"), _AGAIN),
    "mark_published": (
        _of("a late note", 1, "crash", digests="ab", cancels=1),
        _of("a late note of what was lost", 2, "crash message_lost", cancels=1),
    ),
    "claim": (_ONE, _CANCEL, _LAST_TRY, _CLAIMING),
    "replace_fence": (_TAKEN, _TAKEN_OVER, _TAKEN_TWICE, _TAKEN_LATE),
    "renew": (_ONE, _PREPARING),
    "start": (_ONE, _CANCEL, _OVERTAKING, _PREPARING),
    "release": (_RELEASED, _OVERTAKEN, _PREPARING),
    "finish": (_ONE, _CANCEL, _PREPARING),
    "notify": (_ONE, _NOTIFYING),
    "record_output_deletion": (_DELETING,),
    "cancel_queued": (_CANCEL, _of("cancelled again", 0, "", digests="ab", cancels=2)),
    "request_cancel": (_CANCEL, _ASKING),
    "end_unclaimed": (_RELEASED, _COPIED, _DEAD_LETTERING),
}
"""Setups in which a missing condition of a transition must be detected, tried in this order."""
