"""Read the styles in `styles.csv` of the model bucket, and apply styles to prompts as SD Web UI does."""

import csv
import io
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.model_store.bucket import LOOKUP_SECONDS
from domain.errors import ErrorCode, PermanentError, RetryableError
from runtimes.sdwebui.model_names import STYLES_FILE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_BYTES: Final = 4 * 1024**2
_NO_OBJECT_CODES: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_PLACEHOLDER: Final = "{prompt}"
"""Where a style that contains it takes in the prompt; other styles are appended to the prompt."""
# Fields with prompts, and whether a style's positive prompt belongs there (else its negative one).
_PROMPT_FIELDS: Final = {"prompt": True, "negative_prompt": False}
_SECOND_PASS_FIELDS: Final = {"hr_prompt": True, "hr_negative_prompt": False}


@dataclass(frozen=True, slots=True)
class Style:
    """Texts for a prompt and a negative prompt, under a name that tasks refer to."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""


class PromptTooLong(Exception):
    """The prompt with the styles would have more characters than allowed."""


class BucketStyles:
    """Reads the styles in the model bucket, at most once in `lookup_seconds`; can be used by many threads."""

    def __init__(
        self,
        s3: "S3Client | None",
        bucket: str,
        *,
        lookup_seconds: float = LOOKUP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._lookup_seconds = lookup_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: tuple[float, Mapping[str, Style]] | None = None

    @property
    def has_bucket(self) -> bool:
        """Return whether there is a model bucket."""
        return self._s3 is not None and bool(self._bucket)

    def all(self) -> Mapping[str, Style]:
        """Return the styles by name.

        Raise RetryableError if S3 does not respond, and PermanentError if the file cannot be read.
        """
        with self._lock:
            if self._cached is None or self._clock() - self._cached[0] >= self._lookup_seconds:
                self._cached = self._clock(), self._read()
            return self._cached[1]

    def _read(self) -> Mapping[str, Style]:
        if self._s3 is None or not self._bucket:
            return {}
        try:
            response = self._s3.get_object(Bucket=self._bucket, Key=STYLES_FILE)
            data = response["Body"].read(MAX_BYTES + 1)
        except (ClientError, BotoCoreError) as error:
            code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
            if code in _NO_OBJECT_CODES:
                return {}
            text = f"The model bucket did not answer: {code or type(error).__name__}."
            raise RetryableError(ErrorCode.AWS_UNAVAILABLE, text) from error
        if len(data) > MAX_BYTES:
            raise _bad_file(f"it has more than {MAX_BYTES} bytes")
        return {style.name: style for style in read_styles(data)}


NO_STYLES: Final = BucketStyles(None, "")


def read_styles(data: bytes) -> Iterable[Style]:
    """Yield the styles in a CSV file, as SD Web UI's page saves them; raise PermanentError."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad_file(str(error)) from None
    if rows and "name" not in rows[0]:
        raise _bad_file("its first line names no column name")
    for row in rows:
        name = row["name"]
        if name and not name.startswith("#"):
            prompt = row.get("prompt") or row.get("text") or ""  # text in the first versions of SD Web UI
            yield Style(name, prompt, row.get("negative_prompt") or "")


def apply_styles(styles: Iterable[Style], content: Mapping[str, Any], max_characters: int) -> dict[str, str]:
    """Return the fields of a content that contain prompts, with the styles applied.

    Raise PromptTooLong as soon as one has more than `max_characters`, because a style can double the prompt.
    """
    all_styles = list(styles)
    fields = dict(_PROMPT_FIELDS)
    if content.get("enable_hr"):
        # Without a text of its own, the second pass uses the prompt of the first, with its styles.
        fields |= {
            name: is_positive for name, is_positive in _SECOND_PASS_FIELDS.items() if content.get(name)
        }
    prompts = {}
    for field, is_positive in fields.items():
        text = content.get(field) or ""
        for style in all_styles:
            text = _merge(style.prompt if is_positive else style.negative_prompt, text, max_characters)
        prompts[field] = text
    return prompts


def _merge(style: str, prompt: str, max_characters: int) -> str:
    if _PLACEHOLDER in style:
        length = len(style) + style.count(_PLACEHOLDER) * (len(prompt) - len(_PLACEHOLDER))
        if length > max_characters:
            raise PromptTooLong
        return style.replace(_PLACEHOLDER, prompt)
    merged = ", ".join(filter(None, (prompt.strip(), style.strip())))
    if len(merged) > max_characters:
        raise PromptTooLong
    return merged


def _bad_file(reason: str) -> PermanentError:
    return PermanentError(
        ErrorCode.INVALID_CONTENT, f"{STYLES_FILE} of the model bucket is broken: {reason}."
    )
