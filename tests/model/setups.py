"""The setups of the model checker: for the protocol itself, and for transitions without a condition."""

from tests.model.steps import Setup


def _of(name: str, faults: int, kinds: str, **values: object) -> Setup:
    return Setup(name, faults, frozenset(kinds.split()), **values)  # type: ignore[arg-type]


WHOLE = (
    _of("no fault, a cancel", 0, "", cancels=1),
    _of("submitted again", 0, "", digests="ab"),
    _of("same request at once", 2, "crash expire", digests="aa"),
    _of("killed and frozen", 2, "crash expire lapse"),
    _of("killed and frozen with a cancel", 2, "crash expire", cancels=1),
    _of("answers lost", 2, "answer crash expire", cancels=1),
    _of("released", 3, "release bad draw expire"),
    _of("lost and published again", 2, "crash lost sweep"),
    _of("lost and cancelled", 2, "crash lost", cancels=1),
    _of("delivered twice", 2, "crash twice"),
    _of("dead-lettered and expired", 2, "dead_letter outlive crash"),
    _of("published by someone else", 2, "crash expire twice", direct=True),
    _of("outputs deleted", 1, "crash expire lapse", deletions=1),
    _of("last try", 2, "expire lapse crash draw", attempts=4),
)
"""All orders of events of these setups are visited, with up to the given number of faults."""

_ONE = _of("one task", 2, "crash expire lapse")
_CANCEL = _of("cancelled", 2, "crash expire lapse", cancels=1)
_RELEASED = _of("released", 2, "crash expire release dead_letter", cancels=1)
_SUBMIT = ("submit 0 reads", "submit 0 accepted", "2 publishes 0")
_CLAIM = (*_SUBMIT, "0 receives 0", "0 reads")
_DONE = (
    *(*_CLAIM, "0 claims with 0001", "0 starts", "0 stores", "0 stores", "0 finishes"),
    *("0 deletes orphans", "0 sends the callback", "0 records the callback", "0 deletes"),
)
_RUN_1 = ("0 receives 1", "0 reads", "0 claims with 0001", "0 starts", "0 finds")
_SECOND = ("submit 1 reads", "resubmit 1 accepted", "3 publishes 1")
_THIRD = ("submit 2 reads", "resubmit 2 accepted", "4 publishes 2")


def _cancelled(index: int) -> tuple[str, ...]:
    return (
        *(f"cancel {index} reads", "cancel_queued: 200"),
        *(f"{index} deletes orphans", f"{index} sends the callback", f"{index} records the callback"),
    )


_PREPARING = _of(
    "a worker prepares while its task is cancelled and submitted again",
    2,
    "release bad draw expire",
    digests="ab",
    cancels=1,
    prelude=(*_CLAIM, "0 claims with 0001", *_cancelled(4), *_SECOND),
)
_CLAIMING = _of(
    "a worker has decided to claim when the task is cancelled and submitted again",
    1,
    "expire",
    digests="ab",
    cancels=1,
    prelude=(*_CLAIM, *_cancelled(4), *_SECOND),
)
_DEAD_LETTERING = _of(
    "the dead-letter Lambda has decided when the task is cancelled and submitted again",
    1,
    "dead_letter expire",
    digests="ab",
    cancels=1,
    prelude=(
        *_SUBMIT,
        "0 to the dead",
        "dead letters receives",
        "dead letters reads",
        *_cancelled(4),
        *_SECOND,
    ),
)
_LAST_TRY = _of(
    "two workers have decided to claim for the last try",
    2,
    "expire draw",
    attempts=4,
    prelude=(*_CLAIM, "0 visible although in flight", "1 receives 0", "1 reads"),
)
_NOTIFYING = _of(
    "a worker is about to record its callback when another one does and the id is submitted again",
    0,
    "lapse",
    digests="ab",
    prelude=(
        *_DONE[:-2],
        *(
            "0 visible although in flight",
            "1 receives 0",
            "1 reads",
            "1 deletes orphans",
            "1 sends the callback",
            "1 records the callback",
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
    prelude=(*_CLAIM, "0 claims with 0001", "0 starts", "cancel 4 reads", *_DONE[-7:], *_SECOND),
)
_OVERTAKE = ("lease runs out", "0 visible although in flight", "1 receives 0", "1 reads")
_OVERTAKEN = _of(
    "a worker wakes after another took over",
    1,
    "release bad",
    prelude=(*_CLAIM, "0 claims with 0001", *_OVERTAKE, "1 claims with 0002"),
)
_OVERTAKING = _of(
    "a worker has decided to claim a running task that is then cancelled",
    0,
    "",
    cancels=1,
    prelude=(*_CLAIM, "0 claims with 0001", "0 starts", *_OVERTAKE),
)
_COPIED = _of("a copy of a message is dead-lettered", 2, "dead_letter twice")
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
    "expire draw lapse dead_letter",
    digests="ab",
    prelude=(*_DONE, *_SECOND, *_RUN_1),
)
_TAKEN_OVER = _of(
    "a worker finds an object's name taken, and sleeps until another takes over",
    1,
    "draw",
    digests="ab",
    prelude=(
        *(*_DONE, *_SECOND, *_RUN_1, "lease runs out", "1 visible although in flight"),
        *("1 receives 1", "1 reads", "1 claims with 0002"),
    ),
)
_TAKEN_LATE = _of(
    "a worker finds an object's name taken, and sleeps while the id is submitted again",
    0,
    "lapse expire dead_letter",
    digests="abc",
    prelude=(
        *(*_DONE, *_SECOND, *_RUN_1, "lease runs out", "1 visible although in flight", "1 to the dead"),
        *("dead letters receives", "dead letters reads", "dead letters ends the task"),
        *("6 deletes orphans", "6 sends the callback", "6 records the callback", "dead letters archives"),
        *(*_THIRD, "1 receives 2", "1 reads", "1 claims with 0001"),
    ),
)
_TAKEN_TWICE = _of(
    "a worker redraws while an earlier one sleeps",
    1,
    "lapse expire draw crash",
    digests="ab",
    prelude=(
        *(*_CLAIM, "0 claims with 0001", "0 crashes", "lease runs out", "0 visible again"),
        *("0 receives 0", "0 reads", "0 claims with 0002", *_DONE[-8:]),
        *(
            *_SECOND,
            "0 receives 1",
            "0 reads",
            "0 claims with 0001",
            "lease runs out",
            "1 visible although in flight",
        ),
        *("1 receives 1", "1 reads", "1 claims with 0002", "1 starts", "1 finds"),
    ),
)

_DELETING = _of(
    "outputs are deleted while the id is submitted again",
    0,
    "",
    digests="ab",
    deletions=1,
    prelude=(*_DONE, "delete 4 reads", "4 deletes the outputs", *_SECOND),
)

FOR_TRANSITION: dict[str, tuple[Setup, ...]] = {
    "submit": (_of("two submits", 0, "", digests="ab"),),
    "resubmit": (_of("two submits", 0, "", digests="ab"), _AGAIN),
    "mark_published": (
        _of("a late note", 1, "crash", digests="ab", cancels=1),
        _of("a late note of what was lost", 2, "crash lost", cancels=1),
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
