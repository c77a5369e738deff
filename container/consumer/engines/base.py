"""What an inference server makes of a task, whatever the server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.errors import Fault

Json = dict[str, Any]

PICTURE: Final = "picture"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Hold one file of an outcome."""

    data: Callable[[], bytes]
    """Returns the file's bytes, made on each call: only those that are being stored are in memory."""
    number: int | None
    """Counts the pictures that were asked for, from 1; None for what comes beside them."""
    receipt: Json
    """What the engine knows of the file (seed, infotext); stored with its name, size and hash."""
    kind: str = PICTURE
    """A lower-case word, part of the name of a file without a number: `grid`, `map`, `mask`."""


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a finished job returned."""

    artifacts: Sequence[Artifact]
    document: Json
    """What the engine answered beside the files; stored in `.out`. It repeats no input."""
    model: str | None = None
    """The model that was used."""
    warnings: Sequence[Fault] = ()
    """What is not as the task asked for."""
