"""The setups of the model checker: for the protocol itself, and for transitions without a condition."""

from tests.model.phases import FaultKind
from tests.model.steps import Setup


def _setup(name: str, faults: int, kinds: str, **values: object) -> Setup:
    return Setup(name, faults, frozenset(map(FaultKind, kinds.split())), **values)  # type: ignore[arg-type]


COMPLETE_SEARCHES = (
    _setup("no fault, a cancel", 0, "", cancels=1),
    _setup("an id is submitted twice", 0, "", digests="ab"),
    _setup("same request at once", 2, "crash lease_expired", digests="aa"),
    _setup("killed and frozen", 2, "crash lease_expired redelivered"),
    _setup("killed and frozen with a cancel", 2, "crash lease_expired", cancels=1),
    _setup("responses lost", 2, "response_lost crash lease_expired", cancels=1),
    _setup("released", 3, "interrupted invalid_task fence_reused lease_expired"),
    _setup("message lost and published again", 2, "crash message_lost sweep_runs"),
    _setup("message lost and task cancelled", 2, "crash message_lost", cancels=1),
    _setup("delivered twice", 2, "crash delivered_twice"),
    _setup("dead-lettered and expired", 2, "dead_lettered task_too_old crash"),
    _setup("published by someone else", 2, "crash lease_expired delivered_twice", is_direct=True),
    _setup("outputs deleted", 1, "crash lease_expired redelivered", deletions=1),
    _setup("last attempt", 2, "lease_expired redelivered crash fence_reused", attempts=4),
)
"""All orders of events of these setups are visited, with up to the given number of faults.

A fence is a worker's token for one claim, and part of the names of its objects. The letters in `digests`
are the submissions of a setup, all under one id.
"""

_ONE_TASK = _setup("one task", 2, "crash lease_expired redelivered")
_CANCELLED = _setup("cancelled", 2, "crash lease_expired redelivered", cancels=1)
_RELEASED = _setup("released", 2, "crash lease_expired interrupted dead_lettered", cancels=1)
_SUBMIT_STEPS = ("submit 0 reads", "submit 0 is accepted", "submit 0 publishes")
_STEPS_TO_CLAIM = (*_SUBMIT_STEPS, "consumer 0 receives 0", "consumer 0 reads")
_STEPS_TO_COMPLETION = (
    *(
        *_STEPS_TO_CLAIM,
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
_SECOND_FINDS_NAME_TAKEN = (
    "consumer 0 receives 1",
    "consumer 0 reads",
    "consumer 0 claims with 0001",
    "consumer 0 starts",
    "consumer 0 finds",
)
_SECOND_SUBMIT = ("submit 1 reads", "submit 1 is accepted", "submit 1 publishes")
_THIRD_SUBMIT = ("submit 2 reads", "submit 2 is accepted", "submit 2 publishes")


def _cancel_steps() -> tuple[str, ...]:
    return (
        *("cancel 0 reads", "cancel 0 is accepted: 200"),
        *("cancel 0 deletes orphans", "cancel 0 sends the callback", "cancel 0 records the callback"),
    )


_PREPARING = _setup(
    "a worker prepares while its task is cancelled and submitted again",
    2,
    "interrupted invalid_task fence_reused lease_expired",
    digests="ab",
    cancels=1,
    prelude=(*_STEPS_TO_CLAIM, "consumer 0 claims with 0001", *_cancel_steps(), *_SECOND_SUBMIT),
)
_CLAIMING = _setup(
    "a worker has decided to claim when the task is cancelled and submitted again",
    1,
    "lease_expired",
    digests="ab",
    cancels=1,
    prelude=(*_STEPS_TO_CLAIM, *_cancel_steps(), *_SECOND_SUBMIT),
)
_DEAD_LETTERING = _setup(
    "the dead-letter Lambda has decided when the task is cancelled and submitted again",
    1,
    "dead_lettered lease_expired",
    digests="ab",
    cancels=1,
    prelude=(
        *_SUBMIT_STEPS,
        "message 0 is dead-lettered",
        "dead letters receives",
        "dead letters reads",
        *_cancel_steps(),
        *_SECOND_SUBMIT,
    ),
)
_LAST_ATTEMPT = _setup(
    "two workers have decided to claim for the last attempt",
    2,
    "lease_expired fence_reused",
    attempts=4,
    prelude=(
        *_STEPS_TO_CLAIM,
        "message 0 is visible while processed",
        "consumer 1 receives 0",
        "consumer 1 reads",
    ),
)
_NOTIFYING = _setup(
    "a worker is about to record its callback when another one does and the id is submitted again",
    0,
    "redelivered",
    digests="ab",
    prelude=(
        *_STEPS_TO_COMPLETION[:-2],
        *(
            "message 0 is visible while processed",
            "consumer 1 receives 0",
            "consumer 1 reads",
            "consumer 1 deletes orphans",
            "consumer 1 sends the callback",
            "consumer 1 records the callback",
        ),
        *_SECOND_SUBMIT,
    ),
)
_CANCELLING = _setup(
    "a cancel is under way as the task finishes and its id is submitted again",
    0,
    "",
    digests="ab",
    cancels=1,
    prelude=(
        *_STEPS_TO_CLAIM,
        "consumer 0 claims with 0001",
        "consumer 0 starts",
        "cancel 0 reads",
        *_STEPS_TO_COMPLETION[-7:],
        *_SECOND_SUBMIT,
    ),
)
_LEASE_EXPIRES = (
    "the lease expires",
    "message 0 is visible while processed",
    "consumer 1 receives 0",
    "consumer 1 reads",
)
_LEASE_LOST = _setup(
    "a frozen worker continues after another claimed its task",
    1,
    "interrupted invalid_task",
    prelude=(*_STEPS_TO_CLAIM, "consumer 0 claims with 0001", *_LEASE_EXPIRES, "consumer 1 claims with 0002"),
)
_CLAIMING_AFTER_EXPIRY = _setup(
    "a worker has decided to claim a running task that is then cancelled",
    0,
    "",
    cancels=1,
    prelude=(*_STEPS_TO_CLAIM, "consumer 0 claims with 0001", "consumer 0 starts", *_LEASE_EXPIRES),
)
_COPY_DEAD_LETTERED = _setup("a copy of a message is dead-lettered", 2, "dead_lettered delivered_twice")
_SUBMITTED_TWICE = _setup(
    "the same new request twice, on one finished row",
    0,
    "",
    digests="abb",
    prelude=(*_STEPS_TO_COMPLETION, "submit 1 reads", *_THIRD_SUBMIT),
)
_NAME_TAKEN = _setup(
    "a worker finds an object's name taken",
    2,
    "lease_expired fence_reused redelivered dead_lettered",
    digests="ab",
    prelude=(*_STEPS_TO_COMPLETION, *_SECOND_SUBMIT, *_SECOND_FINDS_NAME_TAKEN),
)
_NAME_TAKEN_LEASE_LOST = _setup(
    "a worker finds an object's name taken, and is frozen until another claims its task",
    1,
    "fence_reused",
    digests="ab",
    prelude=(
        *(
            *_STEPS_TO_COMPLETION,
            *_SECOND_SUBMIT,
            *_SECOND_FINDS_NAME_TAKEN,
            "the lease expires",
            "message 1 is visible while processed",
        ),
        *("consumer 1 receives 1", "consumer 1 reads", "consumer 1 claims with 0002"),
    ),
)
_NAME_TAKEN_RESUBMITTED = _setup(
    "a worker finds an object's name taken, and is frozen while the id is submitted again",
    0,
    "redelivered lease_expired dead_lettered",
    digests="abc",
    prelude=(
        *(
            *_STEPS_TO_COMPLETION,
            *_SECOND_SUBMIT,
            *_SECOND_FINDS_NAME_TAKEN,
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
        *(*_THIRD_SUBMIT, "consumer 1 receives 2", "consumer 1 reads", "consumer 1 claims with 0001"),
    ),
)
_FENCE_REPLACED = _setup(
    "a worker replaces its fence while an earlier one is frozen",
    1,
    "redelivered lease_expired fence_reused crash",
    digests="ab",
    prelude=(
        *(
            *_STEPS_TO_CLAIM,
            "consumer 0 claims with 0001",
            "consumer 0 crashes",
            "the lease expires",
            "message 0 is visible again",
        ),
        *(
            "consumer 0 receives 0",
            "consumer 0 reads",
            "consumer 0 claims with 0002",
            *_STEPS_TO_COMPLETION[-8:],
        ),
        *(
            *_SECOND_SUBMIT,
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

_DELETING = _setup(
    "outputs are deleted while the id is submitted again",
    0,
    "",
    digests="ab",
    deletions=1,
    prelude=(*_STEPS_TO_COMPLETION, "delete 0 reads", "delete 0 deletes", *_SECOND_SUBMIT),
)

FOR_TRANSITION: dict[str, tuple[Setup, ...]] = {
    "submit": (_setup("two submits", 0, "", digests="ab"),),
    "resubmit": (_setup("two submits", 0, "", digests="ab"), _SUBMITTED_TWICE),
    "mark_published": (
        _setup("a publication is recorded late", 1, "crash", digests="ab", cancels=1),
        _setup("the publication of a lost message is recorded late", 2, "crash message_lost", cancels=1),
    ),
    "claim": (_ONE_TASK, _CANCELLED, _LAST_ATTEMPT, _CLAIMING),
    "replace_fence": (_NAME_TAKEN, _NAME_TAKEN_LEASE_LOST, _FENCE_REPLACED, _NAME_TAKEN_RESUBMITTED),
    "renew": (_ONE_TASK, _PREPARING),
    "start": (_ONE_TASK, _CANCELLED, _CLAIMING_AFTER_EXPIRY, _PREPARING),
    "release": (_RELEASED, _LEASE_LOST, _PREPARING),
    "finish": (_ONE_TASK, _CANCELLED, _PREPARING),
    "notify": (_ONE_TASK, _NOTIFYING),
    "record_output_deletion": (_DELETING,),
    "cancel_queued": (_CANCELLED, _setup("cancelled again", 0, "", digests="ab", cancels=2)),
    "request_cancel": (_CANCELLED, _CANCELLING),
    "end_unclaimed": (_RELEASED, _COPY_DEAD_LETTERED, _DEAD_LETTERING),
}
"""Setups in which a missing condition of a transition must be detected, tried in this order."""
