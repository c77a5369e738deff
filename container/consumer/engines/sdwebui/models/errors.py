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
