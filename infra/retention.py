"""How long things wait and last, in one place, with the reasons that tie them together."""

from typing import Final

# SQS's own limit, and the longest that a task can wait for a GPU.
QUEUE_RETENTION_DAYS: Final = 14

# One missed heartbeat must not run a task twice, a dead worker must not hold it long; the consumer renews it.
VISIBILITY_SECONDS: Final = 120

# The net below the consumer's own counting (five tries): deliveries that are given back unclaimed count too.
MAX_RECEIVE_COUNT: Final = 20

# How long the body of a buried message can be redriven by an operator.
ARCHIVE_DAYS: Final = 30

# What a message refers to (large content, uploads) outlives the message: the queue's retention, then the
# archive's, and a day for the hours between.
REFERENCED_DAYS: Final = QUEUE_RETENTION_DAYS + ARCHIVE_DAYS + 1

# Where buried messages are kept in the large-task bucket, and where content is.
ARCHIVE_PREFIX: Final = "dead-letters/"

# API Gateway gives up after 29 s; the function must have answered, or failed with its own error, before that.
API_TIMEOUT_SECONDS: Final = 25

SWEEP_TIMEOUT_SECONDS: Final = 120
# "Queued for minutes while its queue holds nothing": looking more often finds nothing sooner.
SWEEP_EVERY_MINUTES: Final = 5

DEAD_LETTER_TIMEOUT_SECONDS: Final = 30
# AWS asks for six times the function's timeout, so that retries of a slow batch do not overlap.
DEAD_LETTER_VISIBILITY_SECONDS: Final = 6 * DEAD_LETTER_TIMEOUT_SECONDS
