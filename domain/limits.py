"""Every number that both sides must agree on, with its reason."""

import json
from dataclasses import asdict, dataclass, fields
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
"""The net below `MAX_ATTEMPTS`: receptions given back unclaimed count here too, so it stays well above."""

MAX_ATTEMPTS: Final = 5
"""How often a task is claimed before a passing fault becomes its outcome."""

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

MAX_VALUES: Final = 100_000
"""Values of a request body, as its commas and opening brackets count them: what a body may become in memory
is bounded by this, not by its bytes. The largest known requests have a few thousand."""

MAX_NAME_LENGTH: Final = 256
"""Characters of a field's name in JSON: paths are made of them."""

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""SNS's limit for a message (AWS quota), its attributes included."""

MAX_FAULTS: Final = 100
"""Faults of a request that are told one by one. An answer of Lambda has at most 6 MB (AWS quota)."""

MAX_PATH_LENGTH: Final = 200
MAX_TEXT_LENGTH: Final = 500
"""Characters of a fault's path and of its message."""

MAX_ERROR_LENGTH: Final = 1000
"""Characters of the message with which a task ends: it must fit its row (400 KB) and its callback."""

MAX_IMAGES_BYTES: Final = 128 * 1024
"""Links to images in a row and its callback, as ASCII JSON: with the context they fit what SNS carries.
Further images stand in the task's output document."""

MAX_ID_LENGTH: Final = 128
MAX_KEY_BYTES: Final = 1024
"""S3's limit for an object key (AWS quota)."""

LONGEST_KEY_TAIL: Final = len("-ffff-mask-9999.webm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound what one task may ask for; the settings of a deployment change any of these (`limits:`)."""

    body_bytes: int = MAX_BODY_BYTES
    """Bytes of a request's body."""
    nesting: int = MAX_NESTING
    """Levels of a request's body."""
    links: int = 32
    """Links of one task that are fetched."""
    input_bytes: int = 64 * 1024 * 1024
    """Bytes of all inputs of one task together, links and what it brings itself. Its request to SD Web UI has
    each as base64: 64 MiB cost the consumer some 320 MiB for a moment, and each of the few tasks that are
    prepared ahead 85 MiB for as long as it waits."""
    images: int = 64
    """`batch_size` times `n_iter` of one task; images that one task brings, too."""
    pixels: int = 2048 * 2048
    """Width times height of one image as it is sampled."""
    upscaled_pixels: int = 8192 * 8192
    """Width times height of one image behind an upscaler; as much as an input may have."""
    steps: int = 1000
    """Sampling steps of one image, each pass by itself."""
    work: int = 10_000_000_000
    """Steps times pixels times images of one task, hires fix and known scripts included: 100 steps of 64
    images of 1024 × 1024 fit. Estimated, not measured: at 10 steps a second of 512 × 512, what is beyond
    would not end within an hour."""
    prompt_characters: int = 10_000
    """Characters of one prompt; each 75 tokens cost a pass of the encoder."""

    def to_json(self) -> str:
        """Return the limits as a deployment's environment carries them."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """Read what `to_json` wrote, or a part of it; raise ValueError naming what is wrong."""
        given = json.loads(text)
        known = {field.name for field in fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise ValueError(f"a JSON object with some of {', '.join(sorted(known))} is expected")
        for name, value in given.items():
            if type(value) is not int or value < 0:
                raise ValueError(f"{name}: a whole number is expected")
        return cls(**given)


DEFAULT_LIMITS: Final = Limits()
