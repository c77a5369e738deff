"""Errors for tasks whose models cannot be used."""

from collections.abc import Iterable
from typing import Final

from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind, nearest_name, webui_name

MAX_NAME: Final = 200
"""Maximum length of a caller's name that is repeated in an error."""


def not_found(
    kind: Kind, wanted: str, known: Iterable[str], *, path: str, shown_as: Iterable[str] = ()
) -> PermanentError:
    """Return the error for a model that does not exist anywhere, with the nearest name.

    `known` are files relative to their folder; `shown_as` are names that SD Web UI lists.
    """
    near = nearest_name(wanted[:MAX_NAME], [*(webui_name(kind, name) for name in known), *shown_as])
    hint = f"; the nearest is {near!r}" if near else ""
    text = f"{path}: there is no {kind.value} named {wanted[:MAX_NAME]!r}{hint}. Upper and lower case count."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def ambiguous(kind: Kind, wanted: str, names: Iterable[str], *, path: str) -> PermanentError:
    """Return the error for a name that matches several files."""
    text = f"{path}: several files are {kind.value} {wanted[:MAX_NAME]!r}: {', '.join(list(names)[:5])}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def read_at_start(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Return the error for a file that was added after SD Web UI had read its kind for the only time."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is there, but SD Web UI reads each {kind.value} at "
        f"its start only: name {folder} in the runtime's syncFolders (SYNC_FOLDERS), or start a new worker."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def not_shown(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Return the error for a file that SD Web UI does not list even after a refresh."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is on the worker, and SD Web UI does not list it: "
        f"name {folder} in the runtime's syncFolders (SYNC_FOLDERS), to have it there when SD Web UI starts."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def shadowed(kind: Kind, wanted: str, other: str, *, path: str) -> PermanentError:
    """Return the error for a name under which SD Web UI lists another file."""
    text = (
        f"{path}: SD Web UI means {other} by the {kind.value} {wanted[:MAX_NAME]!r}: rename one of the files."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def unapplied(word: str, *, path: str) -> PermanentError:
    """Return the error for an embedding that Forge lists but does not apply."""
    text = (
        f"{path}: the embedding {word[:MAX_NAME]!r} came to the model bucket after this worker had loaded "
        "its checkpoint, with which Forge reads the embeddings: start a new worker, or do not use the word."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
