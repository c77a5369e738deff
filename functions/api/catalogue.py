"""What the tasks of a runtime may name: its models in the bucket, and what its engine last listed."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.runtime_report import RuntimeReport
from domain.errors import Fault
from domain.limits import MAX_KEY_BYTES, MAX_NAME_LENGTH
from domain.routing import Runtime, Runtimes
from functions.api.model_bucket import ModelBucket, ModelObject
from functions.api.request_errors import invalid_parameters, not_found
from functions.api.requests import parse_limit, single_values
from functions.log import error_fields, logger
from runtimes.base import RuntimeType

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_REQUESTS: Final = 50
"""After this many requests to S3, of a thousand files each, a page ends with what was found."""

_PARAMETERS: Final = ("kind", "q", "limit", "cursor")


@dataclass(frozen=True, slots=True)
class ModelQuery:
    """Which models are wanted; `after` is the folder and the name at which the previous page ended."""

    folders: Sequence[str]
    kind: str | None
    text: str
    limit: int
    after: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of models, None if the bucket cannot be listed; the last one has no cursor."""

    models: Sequence[dict[str, Any]] | None
    cursor: str | None


def find_runtime(name: str, runtimes: Runtimes) -> Runtime:
    """Return the runtime with a name; raise InvalidTask (404)."""
    runtime = runtimes.named(name)
    if runtime is None:
        names = ", ".join(runtimes.names)
        raise not_found(f"There is no runtime {name[:MAX_NAME_LENGTH]!r}; the runtimes are {names}.")
    return runtime


def read_query(parameters: Mapping[str, Sequence[str]], runtime_type: RuntimeType) -> ModelQuery:
    """Parse the query string of a catalogue; raise InvalidTask naming every fault."""
    (kind, text, limit, cursor), faults = single_values(parameters, _PARAMETERS)
    kinds = runtime_type.model_kinds
    if kind is not None and kind not in kinds:
        faults.append(Fault("kind", f"one of {', '.join(kinds)} is expected"))
    if text is not None and not 1 <= len(text) <= MAX_NAME_LENGTH:
        faults.append(Fault("q", f"a part of a name with 1 to {MAX_NAME_LENGTH} characters is expected"))
    size = parse_limit(limit, faults, default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    folders = tuple(dict.fromkeys(name for one in kinds if kind in (None, one) for name in kinds[one]))
    after = _read_cursor(cursor, folders) if cursor is not None else None
    if cursor is not None and after is None and not any(fault.path == "kind" for fault in faults):
        faults.append(
            Fault("cursor", "the cursor of a previous page with the same kind is expected, unchanged")
        )
    if faults:
        raise invalid_parameters(faults)
    return ModelQuery(folders, kind, (text or "").casefold(), size, after)


def list_models(
    bucket: ModelBucket, query: ModelQuery, runtime_type: RuntimeType, runtime: Runtime
) -> ModelPage:
    """Return a page of the models that tasks of a runtime may name, by folder and name.

    A page has fewer than `limit` models, and a cursor, if many files had to be skipped for it.
    """
    try:
        return _page(bucket, query, runtime_type, runtime)
    except (BotoCoreError, ClientError) as error:
        logger.warning("the model bucket could not be listed for a catalogue", extra=error_fields(error))
        return ModelPage(None, None)


def engine_lists(report: RuntimeReport | None, runtime_type: RuntimeType) -> dict[str, Any] | None:
    """Return what the last ready worker listed, or None if there is no report."""
    if report is None:
        return None
    shown = {name: report.names[name] for name in runtime_type.engine_lists if name in report.names}
    return {"reported_at": report.reported_at, **shown}


def _page(bucket: ModelBucket, query: ModelQuery, runtime_type: RuntimeType, runtime: Runtime) -> ModelPage:
    found: list[dict[str, Any]] = []
    last = query.after
    for requests, page in enumerate(_pages(bucket, query), 1):
        for file in page:
            model = _entry(file, query, runtime_type, runtime)
            if model is not None and len(found) == query.limit:
                return ModelPage(found, _cursor_after(last))
            last = (file.folder, file.name)
            found += [model] if model is not None else []
        if requests >= MAX_REQUESTS and page:
            return ModelPage(found, _cursor_after(last))
    return ModelPage(found, None)


def _pages(bucket: ModelBucket, query: ModelQuery) -> Iterator[list[ModelObject]]:
    folders, name = query.folders, ""
    if query.after is not None:
        folder, name = query.after
        folders = folders[folders.index(folder) :]
    for folder in folders:
        yield from bucket.objects(folder, after=name)
        name = ""


def _entry(
    file: ModelObject, query: ModelQuery, runtime_type: RuntimeType, runtime: Runtime
) -> dict[str, Any] | None:
    """Return the entry of a file, or None if it is no model or not one that is wanted."""
    model = runtime_type.model_kind(file.folder, file.name, runtime)
    if model is None or (query.kind or model.kind) != model.kind or query.text not in model.name.casefold():
        return None
    return {
        "kind": model.kind,
        "name": model.name,
        "bytes": file.bytes,
        "modified_at": file.modified_at,
    }


def _cursor_after(place: tuple[str, str] | None) -> str | None:
    if place is None:
        return None
    return base64.urlsafe_b64encode("/".join(place).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, folders: Sequence[str]) -> tuple[str, str] | None:
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    folder, _, name = key.partition("/")
    return (folder, name) if folder in folders and name and len(key.encode()) <= MAX_KEY_BYTES else None
