"""What an actor of the model does next, and the faults that can happen to it."""

from enum import StrEnum


class Phase(StrEnum):
    """What an actor does in its next step."""

    IDLE = "waiting for work"
    ENDED = "after its end"
    CRASHED = "after its crash"
    READ_ROW = "before reading the row"
    DECIDE = "before deciding about a message"

    # A consumer, as `domain.delivery.decide` says.
    CREATE_ROW = "before creating the row"
    CLAIM = "before its claim"
    END_UNCLAIMED = "before ending a task that nobody may claim"
    RELEASE_MESSAGE = "before releasing the message"
    DELETE_MESSAGE = "before deleting the message"

    # A consumer that has claimed a task.
    START = "before starting the inference"
    STORE_IMAGE = "before storing the image"
    STORE_OUTPUT = "before storing the output document"
    REPLACE_FENCE = "before replacing its fence"
    RELEASE_TASK = "before releasing the task"
    RELEASE_TASK_AND_COUNT = "before releasing the task with an attempt used"
    FINISH_COMPLETED = "before writing `completed`"
    FINISH_FAILED = "before writing `failed`"
    FINISH_CANCELLED = "before writing `cancelled`"
    LEASE_LOST = "after it lost its lease"

    # Whoever has written an outcome, or found one without a callback.
    DELETE_ORPHANS = "before deleting orphaned objects"
    SEND_CALLBACK = "before sending the callback"
    RECORD_CALLBACK = "before recording the callback"

    # The Lambda functions.
    SUBMIT = "before writing a new row"
    RESUBMIT = "before replacing a finished row"
    PUBLISH = "before publishing the message"
    RECORD_PUBLICATION = "before recording the publication"
    CANCEL_QUEUED = "before cancelling a queued task"
    REQUEST_CANCEL = "before requesting the cancel of a running task"
    DELETE_OUTPUTS = "before deleting the outputs"
    RECORD_DELETION = "before recording the deletion"
    ARCHIVE_DEAD_LETTER = "before archiving a dead letter"


INFERRING = frozenset({Phase.STORE_IMAGE, Phase.STORE_OUTPUT})
FINISHING = frozenset({Phase.FINISH_COMPLETED, Phase.FINISH_FAILED, Phase.FINISH_CANCELLED})
HAS_LEASE = frozenset({Phase.START, *INFERRING, *FINISHING})
"""Phases in which a consumer believes that it has the lease."""


class FaultKind(StrEnum):
    """A fault that can happen if the setup has it among its `kinds`."""

    CRASH = "crash"
    """A process dies between any two of its steps."""
    DEAD_LETTERED = "dead_lettered"
    """A message goes to the dead-letter queue."""
    DELIVERED_TWICE = "delivered_twice"
    """The queue has a second copy of a message."""
    FENCE_REUSED = "fence_reused"
    """A worker picks a fence that may have been used before."""
    INTERRUPTED = "interrupted"
    """A worker shuts down or meets a retryable error."""
    INVALID_TASK = "invalid_task"
    """A task fails permanently before its inference."""
    LEASE_EXPIRED = "lease_expired"
    """A lease expires while its worker is frozen."""
    MESSAGE_LOST = "message_lost"
    """A published message never reaches the queue."""
    REDELIVERED = "redelivered"
    """A message is delivered again while a worker processes it."""
    RESPONSE_LOST = "response_lost"
    """A write is done but its response is lost; the writer repeats it or not."""
    SWEEP_RUNS = "sweep_runs"
    """The sweep runs while others still work; without faults it runs when nothing else happens."""
    TASK_TOO_OLD = "task_too_old"
    """The sweep finds a task too old."""
