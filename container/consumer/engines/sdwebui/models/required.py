"""The models that a task needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.named_models import MAX_MODELS, face_restorers, model_mentions


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """One model of a task; `path` is a JSON pointer into the content."""

    kind: Kind
    name: str
    path: str
    required: bool = True
    """Whether the task fails without it; otherwise it is only fetched if it exists."""
    by_index: bool = False
    """Whether the name is a position in SD Web UI's list, from 0."""


def required_models(content: dict[str, Any]) -> list[ModelRequirement]:
    """Return the models that a task's content names, each once, the checkpoint first.

    Raise PermanentError for more than `MAX_MODELS`.
    """
    found: dict[tuple[Kind, str, bool], ModelRequirement] = {}
    for need in _all(content):
        key = need.kind, need.name, need.by_index
        if len(found) >= MAX_MODELS and key not in found:
            text = f"{need.path}: a task may name at most {MAX_MODELS} models."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        if key not in found or (need.required and not found[key].required):
            found[key] = need
    return list(found.values())


def _all(content: dict[str, Any]) -> Iterator[ModelRequirement]:
    for one in model_mentions(content):
        yield ModelRequirement(one.kind, one.name, one.path, one.required, one.by_index)
    for path, folder in face_restorers(content):
        yield ModelRequirement(Kind.FACE_RESTORER, folder, path)
