"""List the models that a task needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.named_models import MAX_MODELS, face_restorers, model_mentions


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """One model that a task names."""

    kind: Kind
    name: str
    path: str
    """The JSON pointer of the name in the task's content."""
    is_required: bool = True
    """Whether the task fails without it; otherwise it is only fetched if it exists."""
    is_by_index: bool = False
    """Whether the name is a position in SD Web UI's list, from 0."""


def required_models(content: dict[str, Any]) -> list[ModelRequirement]:
    """Return the models that a task's content names, each once, the checkpoint first.

    Raise PermanentError for more than `MAX_MODELS`.
    """
    requirements: dict[tuple[Kind, str, bool], ModelRequirement] = {}
    for requirement in _all_requirements(content):
        key = requirement.kind, requirement.name, requirement.is_by_index
        if len(requirements) >= MAX_MODELS and key not in requirements:
            text = f"{requirement.path}: a task may name at most {MAX_MODELS} models."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        if key not in requirements or (requirement.is_required and not requirements[key].is_required):
            requirements[key] = requirement
    return list(requirements.values())


def _all_requirements(content: dict[str, Any]) -> Iterator[ModelRequirement]:
    for mention in model_mentions(content):
        yield ModelRequirement(mention.kind, mention.name, mention.path, mention.required, mention.by_index)
    for path, folder in face_restorers(content):
        yield ModelRequirement(Kind.FACE_RESTORER, folder, path)
