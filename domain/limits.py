"""Limits and timings that the API, the consumer and the infrastructure share, with the reason for each."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

# --- SQS, SNS, DynamoDB, S3 -----------------------------------------------------------------------

VISIBILITY_SECONDS: Final = 120
"""Visibility timeout and lease: long enough that one lost heartbeat (sent every third of it) changes
nothing, short enough that a killed worker's task runs again within two minutes."""

QUEUE_RETENTION_DAYS: Final = 14
"""SQS's maximum, so that a deployment that is scaled to zero by mistake over a holiday loses nothing."""

LARGE_CONTENT_DAYS: Final = 2 * QUEUE_RETENTION_DAYS + 7
"""A message's content must outlive the queue and then the dead-letter queue, with a week left to redrive
it."""

MAX_RECEIVE_COUNT: Final = 20
"""Safety net above `MAX_ATTEMPTS`: messages returned without a claim count here too, so it is much higher."""

MAX_ATTEMPTS: Final = 5
"""How often a task is claimed before a retryable error becomes its outcome."""

MAX_START_SECONDS: Final = QUEUE_RETENTION_DAYS * 86_400
"""The longest time that a task can allow for its start: later its message is deleted, and it fails anyway."""

ROW_DAYS: Final = 30
"""How long a row is kept (DynamoDB time to live)."""

RESUBMIT_SECONDS: Final = 600
"""For this long after a task ended, the same request with the same id returns its row instead of running
again."""

INLINE_CONTENT_BYTES: Final = 32 * 1024
"""SNS carries 256 KiB, so this would fit with metadata and trace headers many times over. It is small because
the row holds the message too, and DynamoDB bills every heartbeat's write by the size of the whole row, one
unit per KiB."""

API_TIMEOUT_SECONDS: Final = 29
"""API Gateway's integration limit, and therefore the Lambda's timeout: after it, no request is left that
would publish the message of an unpublished row."""

# --- what a caller may send -----------------------------------------------------------------------

MAX_TASKS_PER_SECOND: Final = 250
"""How many tasks of one runtime the table's index by status can take: a partition takes 1,000 writes a second
(AWS quota), and each task writes the one of queued tasks four times. Beyond that, DynamoDB refuses writes of
tasks too, so the API may not accept more requests a second than this."""

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit for a synchronous event (AWS quota); API Gateway's own is 10 MB."""

MAX_CONTEXT_BYTES: Final = 32 * 1024
MAX_NESTING: Final = 32
"""Depth of a request's body; the deepest known argument lists of scripts stay below ten."""

MAX_VALUES: Final = 100_000
"""Number of values in a request's body, counted by its commas and opening brackets. It bounds the memory that
a body can take once parsed, which its size in bytes does not. The largest known requests have a few
thousand."""

MAX_NAME_LENGTH: Final = 256
"""Characters in the name of a JSON field; JSON pointers in errors contain these names."""

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""SNS's limit for a message (AWS quota), its attributes included."""

MAX_FAULTS: Final = 100
"""How many faults of a request are listed one by one. A Lambda response has at most 6 MB (AWS quota)."""

MAX_PATH_LENGTH: Final = 200
MAX_TEXT_LENGTH: Final = 500
"""Characters of a fault's path and of its message."""

MAX_ERROR_LENGTH: Final = 1000
"""Characters of a failed task's error message, which must fit into the row (400 KB) and the callback."""

MAX_IMAGES_BYTES: Final = 128 * 1024
"""Bytes, as ASCII JSON, of the image links in a row and its callback: together with the context they fit into
an SNS message. Further images are listed in the task's output document only."""

MAX_OTHER_IMAGES_BYTES: Final = 64 * 1024
"""Bytes, as ASCII JSON, of the links in a row to grids, masks and maps, which no callback contains."""

MAX_ID_LENGTH: Final = 128
MAX_GROUP_LENGTH: Final = 64
MAX_KEY_BYTES: Final = 1024
"""S3's limit for an object key (AWS quota)."""

LONGEST_KEY_TAIL: Final = len("-ffff-mask-9999.webm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a single task; a deployment can change each of them (`limits:` in its settings)."""

    body_bytes: int = MAX_BODY_BYTES
    """Size of a request's body."""
    nesting: int = MAX_NESTING
    """Nesting levels of a request's body."""
    links: int = 32
    """Number of links that are downloaded for one task."""
    input_bytes: int = 64 * 1024 * 1024
    """Total size of a task's inputs, links and inline data together. The request to the engine contains each
    as base64: 64 MiB briefly take about 320 MiB of memory in the consumer, and 85 MiB for as long as a
    prefetched task waits."""
    input_pixels: int = 4 * 8192 * 8192
    """Total number of pixels of a task's inputs, counted each time an input occurs: a few kilobytes can
    decode to the 67 million pixels of one input, and the engine decodes all inputs before it starts."""
    media_bytes: int = 64 * 1024 * 1024
    """Size of one video or sound among a task's inputs."""
    video_pixels: int = 4 * 8192 * 8192
    """Width times height times frames of all videos of a task. A node that takes a video apart holds all its
    frames in memory at once, with 12 bytes a pixel: these are 3 GiB."""
    images: int = 64
    """`batch_size` times `n_iter` of one task; also the number of images that a task may send."""
    pixels: int = 2048 * 2048
    """Width times height of one image as it is sampled."""
    upscaled_pixels: int = 8192 * 8192
    """Width times height of an upscaled image, and of an input image."""
    steps: int = 1000
    """Sampling steps of one image, for each pass separately."""
    work: int = 10_000_000_000
    """Steps times pixels times images of one task, including hires fix and known scripts: 100 steps of 64
    images of 1024 × 1024 fit. This is an estimate, not a measurement: at 10 steps a second of 512 × 512, a
    larger task would take more than an hour."""
    frames: int = 241
    """Frames of a video that one node makes: ten seconds at 24 a second."""
    prompt_characters: int = 10_000
    """Characters of one prompt; every 75 tokens cost one pass of the text encoder."""

    def to_json(self) -> str:
        """Return the limits as JSON for an environment variable."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """Read JSON from `to_json` or a subset of it; raise ValueError naming what is wrong."""
        given = json.loads(text)
        known = {field.name for field in fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise ValueError(f"a JSON object with some of {', '.join(sorted(known))} is expected")
        for name, value in given.items():
            if type(value) is not int or value < 0:
                raise ValueError(f"{name}: a whole number is expected")
        return cls(**given)


DEFAULT_LIMITS: Final = Limits()
