"""What a task is told of a model that cannot be used."""

from collections.abc import Iterable
from typing import Final

from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind, nearest, shown

MAX_NAME: Final = 200
"""Characters of a stranger's name that are repeated in an error."""


def not_found(
    kind: Kind, wanted: str, known: Iterable[str], *, path: str, shown_as: Iterable[str] = ()
) -> PermanentError:
    """Make the error for a model that exists nowhere, with the nearest name offered.

    `known` are files, relative to their folder; `shown_as` are names that Web UI lists.
    """
    near = nearest(wanted[:MAX_NAME], [*(shown(kind, name) for name in known), *shown_as])
    hint = f"; the nearest is {near!r}" if near else ""
    text = f"{path}: there is no {kind.value} named {wanted[:MAX_NAME]!r}{hint}. Upper and lower case count."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def ambiguous(kind: Kind, wanted: str, names: Iterable[str], *, path: str) -> PermanentError:
    """Make the error for a name that several files answer to."""
    text = f"{path}: several files are {kind.value} {wanted[:MAX_NAME]!r}: {', '.join(list(names)[:5])}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def read_at_start(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Make the error for a file that came after SD Web UI had read its kind, which it does once."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is there, but SD Web UI reads each {kind.value} at "
        f"its start only: name {folder} in the runtime's syncFolders (SYNC_FOLDERS), or start a new worker."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def not_shown(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Make the error for a file that SD Web UI does not list after it has looked again."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is on the worker, and SD Web UI does not list it: "
        f"name {folder} in the runtime's syncFolders (SYNC_FOLDERS), to have it there when SD Web UI starts."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def shadowed(kind: Kind, wanted: str, other: str, *, path: str) -> PermanentError:
    """Make the error for a name under which SD Web UI lists another file."""
    text = (
        f"{path}: SD Web UI means {other} by the {kind.value} {wanted[:MAX_NAME]!r}: rename one of the files."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def unapplied(word: str, *, path: str) -> PermanentError:
    """Make the error for an embedding that Forge lists and does not apply."""
    text = (
        f"{path}: the embedding {word[:MAX_NAME]!r} came to the model bucket after this worker had loaded "
        "its checkpoint, with which Forge reads the embeddings: start a new worker, or do not use the word."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
