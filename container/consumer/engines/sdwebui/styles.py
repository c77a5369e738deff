"""Styles: from `styles.csv` in the model bucket, which the worker applies, and from SD Web UI itself."""

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
_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_FIELD: Final = "{prompt}"
_SECOND_PASS: Final = {"hr_prompt": True, "hr_negative_prompt": False}


@dataclass(frozen=True, slots=True)
class Style:
    """Texts that are added to a prompt, or that it is put into where they contain `{prompt}`."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""


class TooLong(Exception):
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
        self._known: tuple[float, Mapping[str, Style]] | None = None

    @property
    def exist(self) -> bool:
        """Return whether there is a bucket to read."""
        return self._s3 is not None and bool(self._bucket)

    def all(self) -> Mapping[str, Style]:
        """Return the styles by name; raise RetryableError without S3, PermanentError for a bad file."""
        with self._lock:
            if self._known is None or self._clock() - self._known[0] >= self._lookup_seconds:
                self._known = self._clock(), self._read()
            return self._known[1]

    def _read(self) -> Mapping[str, Style]:
        if self._s3 is None or not self._bucket:
            return {}
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=STYLES_FILE)
            data = answer["Body"].read(MAX_BYTES + 1)
        except (ClientError, BotoCoreError) as error:
            code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
            if code in _NOT_THERE:
                return {}
            text = f"The model bucket did not answer: {code or type(error).__name__}."
            raise RetryableError(ErrorCode.AWS_UNAVAILABLE, text) from error
        if len(data) > MAX_BYTES:
            raise _bad(f"it has more than {MAX_BYTES} bytes")
        return {style.name: style for style in read_styles(data)}


NO_STYLES: Final = BucketStyles(None, "")


def read_styles(data: bytes) -> Iterable[Style]:
    """Yield the styles in a CSV file, as SD Web UI's page saves them; raise PermanentError."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad(str(error)) from None
    if rows and "name" not in rows[0]:
        raise _bad("its first line names no column name")
    for row in rows:
        name = row["name"]
        if name and not name.startswith("#"):
            prompt = row.get("prompt") or row.get("text") or ""  # text in the first versions of SD Web UI
            yield Style(name, prompt, row.get("negative_prompt") or "")


def apply(styles: Iterable[Style], content: Mapping[str, Any], most: int) -> dict[str, str]:
    """Return the prompts of a content with the styles, as SD Web UI applies them, by field.

    Raise TooLong as soon as one has more than `most` characters: a style that repeats the prompt doubles it.
    """
    named = list(styles)
    fields = {"prompt": True, "negative_prompt": False}
    if content.get("enable_hr"):
        # Without a text of its own, the second pass takes the prompt.
        fields |= {name: positive for name, positive in _SECOND_PASS.items() if content.get(name)}
    found = {}
    for field, positive in fields.items():
        text = content.get(field) or ""
        for style in named:
            text = _merge(style.prompt if positive else style.negative_prompt, text, most)
        found[field] = text
    return found


def _merge(style: str, prompt: str, most: int) -> str:
    if _FIELD in style:
        length = len(style) + style.count(_FIELD) * (len(prompt) - len(_FIELD))
        if length > most:
            raise TooLong
        return style.replace(_FIELD, prompt)
    merged = ", ".join(filter(None, (prompt.strip(), style.strip())))
    if len(merged) > most:
        raise TooLong
    return merged


def _bad(why: str) -> PermanentError:
    return PermanentError(ErrorCode.INVALID_CONTENT, f"{STYLES_FILE} of the model bucket is broken: {why}.")
