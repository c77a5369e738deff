"""Every number that both sides must agree on, with its reason."""

from typing import Final

# --- SQS, SNS, DynamoDB, S3 -----------------------------------------------------------------------

VISIBILITY_SECONDS: Final = 120
"""Visibility timeout and lease: long enough that one lost heartbeat (sent every third of it) changes
nothing, short enough that a killed worker's task runs again within two minutes."""

QUEUE_RETENTION_DAYS: Final = 14
"""SQS's maximum: a deployment that scales to zero by mistake over a holiday loses nothing."""

LARGE_CONTENT_DAYS: Final = 2 * QUEUE_RETENTION_DAYS + 7
"""A message's content must outlive the queue, then the dead-letter queue, and leave a week to redrive."""

MAX_RECEIVE_COUNT: Final = 20
"""The net below `MAX_TRIES`: receptions given back unclaimed count here too, so it stays well above."""

MAX_TRIES: Final = 5
"""How often a task is claimed before a passing fault becomes its outcome (design, section 3)."""

ROW_DAYS: Final = 30
"""How long a row is kept (DynamoDB time to live)."""

RESUBMIT_SECONDS: Final = 600
"""For so long after it finished, the same request with the same id is answered, not run again."""

INLINE_CONTENT_BYTES: Final = 32 * 1024
"""SNS carries 256 KiB, so this fits with metadata and trace headers. It is far less, because the row holds
the message too: DynamoDB bills every heartbeat's write by the row's whole size, one unit a KiB."""

API_TIMEOUT_SECONDS: Final = 29
"""API Gateway's integration limit, and so the Lambda's: an older unpublished row has no publisher left."""

# --- what a caller may send -----------------------------------------------------------------------

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit for a synchronous event (AWS quota); API Gateway's own is 10 MB."""

MAX_CONTEXT_BYTES: Final = 32 * 1024
MAX_NESTING: Final = 32
"""Depth of a request body; the deepest known script argument lists stay below ten."""

MAX_ID_LENGTH: Final = 128
MAX_KEY_BYTES: Final = 1024
"""S3's limit for an object key (AWS quota)."""

LONGEST_KEY_TAIL: Final = len("-ffff-9999-grid.webm")

MAX_IMAGES: Final = 64
"""`batch_size` times `n_iter` of one task."""

MAX_PIXELS: Final = 2048 * 2048
"""Width times height of one generated image."""

MAX_LINKS: Final = 32
"""Links in one task."""
