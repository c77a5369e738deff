"""Errors for tasks whose models cannot be used. `wanted` is the name in the task, `path` its JSON pointer."""

from collections.abc import Iterable
from typing import Final

from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind, nearest_name, webui_name

MAX_NAME: Final = 200
"""Maximum length of a caller's name that is repeated in an error."""


def model_not_found(
    kind: Kind, wanted: str, known_files: Iterable[str], *, path: str, listed_names: Iterable[str] = ()
) -> PermanentError:
    """Return the error for a model that does not exist anywhere, with the nearest name.

    `known_files` are relative to their folder; `listed_names` are names that SD Web UI lists.
    """
    names = [*(webui_name(kind, file) for file in known_files), *listed_names]
    nearest = nearest_name(wanted[:MAX_NAME], names)
    hint = f"; the nearest is {nearest!r}" if nearest else ""
    text = f"{path}: there is no {kind.value} named {wanted[:MAX_NAME]!r}{hint}. Upper and lower case count."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def ambiguous_model(kind: Kind, wanted: str, names: Iterable[str], *, path: str) -> PermanentError:
    """Return the error for a name that matches several files."""
    text = f"{path}: several files are {kind.value} {wanted[:MAX_NAME]!r}: {', '.join(list(names)[:5])}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def listed_only_at_start(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Return the error for a file that was added after SD Web UI had read its folder for the only time."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is there, but SD Web UI reads each {kind.value} at "
        f"its start only: name {folder} in the runtime's syncFolders (SYNC_FOLDERS), or start a new worker."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def model_not_listed(kind: Kind, wanted: str, folder: str, *, path: str) -> PermanentError:
    """Return the error for a file that SD Web UI does not list even after a refresh."""
    text = (
        f"{path}: the {kind.value} {wanted[:MAX_NAME]!r} is on the worker, and SD Web UI does not list it: "
        f"name {folder} in the runtime's syncFolders (SYNC_FOLDERS), to have it there when SD Web UI starts."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def name_of_other_file(kind: Kind, wanted: str, other: str, *, path: str) -> PermanentError:
    """Return the error for a name under which SD Web UI lists another file."""
    text = (
        f"{path}: SD Web UI means {other} by the {kind.value} {wanted[:MAX_NAME]!r}: rename one of the files."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def embedding_not_applied(word: str, *, path: str) -> PermanentError:
    """Return the error for an embedding that Forge lists but does not apply."""
    text = (
        f"{path}: the embedding {word[:MAX_NAME]!r} came to the model bucket after this worker had loaded "
        "its checkpoint, with which Forge reads the embeddings: start a new worker, or do not use the word."
    )
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
