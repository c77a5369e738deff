"""What the workers of a runtime reported of its engine: one object for each runtime in the task bucket."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from domain.clock import iso, now
from domain.keys import report_key
from runtimes.base import EngineNames

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_NAMES_BYTES: Final = 256 * 1024
"""Limit for the names in one list of a report; a longer list is left out, and then nothing is concluded from
it."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""Limit for a report that is read: a worker wrote it, and the API has to parse it."""

_MISSING: Final = frozenset({"NoSuchKey", "404", "AccessDenied", "403"})
"""S3 answers that a missing object is forbidden to whoever may not list the bucket."""


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """The names that an engine listed; a list that was too long or that the engine lacks is not in it."""

    reported_at: str
    models: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The names of the models, by their folder in the model bucket."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


class RuntimeReports:
    """Write and read the reports."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def write(self, runtime: str, names: EngineNames) -> None:
        """Replace the report of a runtime; without a bucket, do nothing."""
        if not self._bucket:
            return
        document = {
            "reported_at": iso(now()),
            "models": _bounded(names.models),
            "names": _bounded(names.names),
        }
        self._s3.put_object(
            Bucket=self._bucket,
            Key=report_key(runtime),
            Body=json.dumps(document).encode(),
            ContentType="application/json",
        )

    def read(self, runtime: str) -> RuntimeReport | None:
        """Return the latest report of a runtime, or None if there is none that can be read."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=report_key(runtime))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise
        body = answer["Body"].read(MAX_BYTES + 1)
        return _parse(body) if len(body) <= MAX_BYTES else None


def _bounded(lists: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    kept = {name: list(dict.fromkeys(listed)) for name, listed in lists.items()}
    return {
        name: listed
        for name, listed in kept.items()
        if sum(len(json.dumps(each)) for each in listed) <= MAX_NAMES_BYTES
    }


def _parse(body: bytes) -> RuntimeReport | None:
    """Return a report, without what has another form than a report's."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("reported_at"), str):
        return None
    models = {folder: frozenset(names) for folder, names in _lists(document.get("models")).items()}
    return RuntimeReport(document["reported_at"], models, _lists(document.get("names")))


def _lists(value: Any) -> dict[str, list[str]]:
    found = value if isinstance(value, dict) else {}
    return {
        name: names
        for name, names in found.items()
        if isinstance(names, list) and all(isinstance(each, str) for each in names)
    }
