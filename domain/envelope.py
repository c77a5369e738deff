"""Checks and types that both versions of the request envelope share: ids, prefixes, the accepted task."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from domain.body import pointer
from domain.canonical import compact_json
from domain.errors import Fault, add_fault
from domain.limits import (
    LONGEST_KEY_TAIL,
    MAX_CONTEXT_BYTES,
    MAX_FAULTS,
    MAX_GROUP_LENGTH,
    MAX_ID_LENGTH,
    MAX_KEY_BYTES,
    MAX_NAME_LENGTH,
    MAX_START_SECONDS,
)
from domain.routing import Runtime
from domain.task import Task

_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_ID_LENGTH - 1}}}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_GROUP = re.compile(rf"[!-~]{{1,{MAX_GROUP_LENGTH}}}")
"""The characters that SQS allows in a `MessageGroupId`."""

_ENCODED = re.compile(r"%(2e|2f|5c)", re.IGNORECASE)


class Prefix(NamedTuple):
    """A prefix as it is used, the reasons to refuse it, and warnings about what was changed in it."""

    text: str
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """An accepted task, its runtime, and warnings about what was dropped or changed."""

    task: Task
    runtime: Runtime
    warnings: Sequence[Fault] = ()
    content_path: str = ""
    """The JSON pointer of the content in the request."""


def id_faults(value: Any, path: str) -> list[Fault]:
    """Check a task's id."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return []
    return [
        Fault(
            path,
            f"1 to {MAX_ID_LENGTH} of A-Z a-z 0-9 - _ . are expected, beginning with a letter or digit",
        ),
    ]


def clean_prefix(value: Any, task_id: Any, path: str) -> Prefix:
    """Return the prefix without leading slashes and one trailing slash, in Unicode's composed form (NFC)."""
    if not isinstance(value, str) or not value:
        return Prefix("", [Fault(path, "the prefix of the output's S3 keys is expected, such as output")])
    without_slash = value.removesuffix("/")
    # The two forms of a letter such as é look alike and would be two folders in S3.
    prefix = unicodedata.normalize("NFC", without_slash.lstrip("/"))
    warnings = []
    if without_slash.startswith("/"):
        warnings.append(Fault(path, "used without the leading /, because S3 keys do not begin with a slash"))
    if not unicodedata.is_normalized("NFC", without_slash):
        warnings.append(
            Fault(path, "normalized to Unicode's composed form (NFC), as output_location shows it")
        )
    faults = []
    if _UNPRINTABLE.search(prefix) or not prefix.isprintable():
        message = "control characters, line separators and text direction marks are not allowed"
        faults.append(Fault(path, message))
    if "\\" in prefix or _ENCODED.search(prefix):
        # S3 treats these as distinct names, but many tools read them as a separator or as a parent folder.
        faults.append(Fault(path, "\\, and %2e, %2f or %5c (encoded . / \\), are not allowed"))
    if any(segment in ("", ".", "..") for segment in prefix.split("/")):
        faults.append(Fault(path, "its segments must not be empty, . or .."))
    name = task_id if isinstance(task_id, str) else ""
    if len(f"{prefix}/{name}/{name}".encode(errors="replace")) + LONGEST_KEY_TAIL > MAX_KEY_BYTES:
        faults.append(Fault(path, f"with the id, the object's key would exceed {MAX_KEY_BYTES} bytes"))
    return Prefix(prefix, faults, warnings)


def context_faults(value: Any, path: str) -> list[Fault]:
    """Check a context: any JSON up to the size limit."""
    if len(compact_json(value)) > MAX_CONTEXT_BYTES:
        return [Fault(path, f"at most {MAX_CONTEXT_BYTES} bytes are expected, as ASCII JSON")]
    return []


def start_within_faults(value: Any, path: str) -> list[Fault]:
    """Check how many seconds a task may wait for a GPU; None is no limit."""
    if value is None or (type(value) is int and 1 <= value <= MAX_START_SECONDS):
        return []
    return [Fault(path, f"a whole number of seconds from 1 to {MAX_START_SECONDS} is expected")]


def group_faults(value: Any, path: str) -> list[Fault]:
    """Check the name of a group of tasks; None is no name."""
    if value is None or (isinstance(value, str) and _GROUP.fullmatch(value)):
        return []
    text = f"1 to {MAX_GROUP_LENGTH} letters, digits and ASCII punctuation without spaces are expected"
    return [Fault(path, text)]


def task_type_faults(value: Any, known_types: Sequence[str], path: str) -> list[Fault]:
    """Check that a task type is one that the runtime supports."""
    return [] if value in known_types else [Fault(path, f"one of {', '.join(known_types)} is expected")]


def unknown_key_faults(value: dict[str, Any], known_keys: Sequence[str], path: str) -> list[Fault]:
    """Return one fault for each key of `value` that is not among `known_keys`."""
    return [
        Fault(f"{path}/{pointer(key)}", f"unknown field; the known fields are {', '.join(known_keys)}")
        for key in value
        if key not in known_keys
    ]


def ignored_key_warnings(keys: Iterable[str], known_keys: Sequence[str], path: str) -> list[Fault]:
    """Return one warning for each unknown one of `keys`, with the key that was probably meant."""
    warnings: list[Fault] = []
    for key in keys:
        if key not in known_keys:
            # Beyond MAX_FAULTS, warnings are only counted, so their texts are not needed.
            is_shown = len(warnings) < MAX_FAULTS
            matches = get_close_matches(key[:MAX_NAME_LENGTH].lower(), known_keys, n=1) if is_shown else []
            hint = (
                f"did you mean {matches[0]}?" if matches else f"the known fields are {', '.join(known_keys)}"
            )
            add_fault(
                warnings, Fault(f"{path}/{pointer(key)}", f"ignored: not a field of this service; {hint}")
            )
    return warnings
