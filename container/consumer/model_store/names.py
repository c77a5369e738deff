"""Finding a model by the name that a task gives it."""

import difflib
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Final

from container.consumer.model_store.kinds import Kind, aliases, best, shown
from domain.errors import ErrorCode, PermanentError

MAX_NAME: Final = 200
"""Characters of a stranger's name that are repeated in an error."""

_LIKENESS: Final = 0.5
_COMPARED: Final = 2000
"""Names compared at most: likeness costs about 20 µs each, an error may cost 40 ms."""


class Ambiguous(Exception):
    """Say that several files in different folders answer to a name."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.names = sorted(names)


def match(kind: Kind, wanted: str, names: Collection[str]) -> str | None:
    """Return which of `names` (relative to a folder) is called `wanted`, exactly.

    Raise Ambiguous where the name fits files of several folders alike.
    """
    if kind is Kind.CHECKPOINT and wanted in names:
        return wanted
    ranked: dict[int, list[str]] = {}
    for name in names:
        known = aliases(kind, name)
        if wanted in known:
            ranked.setdefault(known.index(wanted), []).append(name)
    if not ranked:
        return None
    found = best(ranked[min(ranked)])
    if len(found) > 1:
        # In the folder itself is nearer than below it; Web UI's own answer depends on the order of reading.
        top = [name for name in found if "/" not in name]
        if len(top) != 1:
            raise Ambiguous(found)
        found = top
    return found[0]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `name`; upper and lower case alone never keep them apart."""
    listed = list(known)
    folded = name.casefold()
    for one in listed:
        if one.casefold() == folded:
            return one
    # With its extension a short name is unlike itself without: both are compared.
    by_fold = {PurePosixPath(one).stem.casefold(): one for one in listed[:_COMPARED]}
    by_fold |= {one.casefold(): one for one in listed[:_COMPARED]}
    close = difflib.get_close_matches(folded, by_fold, n=1, cutoff=_LIKENESS)
    return by_fold[close[0]] if close else None


def not_found(
    kind: Kind, wanted: str, known: Iterable[str], *, path: str, shown_as: Iterable[str] = ()
) -> PermanentError:
    """Make the error for a model that exists nowhere, with the nearest name offered.

    `known` are files, relative to their folder; `shown_as` are names that Web UI lists.
    """
    near = nearest(wanted, [*(shown(kind, name) for name in known), *shown_as])
    hint = f"; the nearest is {near!r}" if near else ""
    text = f"{path}: there is no {kind.value} named {wanted[:MAX_NAME]!r}{hint}. Upper and lower case count."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)


def ambiguous(kind: Kind, wanted: str, names: Iterable[str], *, path: str) -> PermanentError:
    """Make the error for a name that several files answer to."""
    text = f"{path}: several files are {kind.value} {wanted[:MAX_NAME]!r}: {', '.join(list(names)[:5])}."
    return PermanentError(ErrorCode.MODEL_NOT_FOUND, text)
