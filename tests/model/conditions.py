"""The conditions of the protocol's transitions, and transitions without one of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from domain import protocol
from domain.conditions import AnyOf, Condition
from domain.errors import ErrorCode
from domain.row import Row, Status
from domain.transition import Transition
from tests.model.world import LEASE_SECONDS
from tests.support.clock import NOW

EXAMPLE_ROW = {
    "id": "t",
    "submission_id": "0",
    "runtime": "r",
    "status": "queued",
    "fence": "0001",
    "notified_at": "2026",
}
_ARGUMENTS: dict[str, Any] = {
    "item": {"id": "t"},
    # They have `notified_at`, because only such a row can be resubmitted or have its outputs deleted.
    "row": Row(EXAMPLE_ROW),
    "previous": Row(EXAMPLE_ROW),
    "finished": Row(EXAMPLE_ROW),
    "now": NOW,
    "worker": "w",
    "fence": "0002",
    "seconds": LEASE_SECONDS,
    "count_attempt": True,
    "status": Status.FAILED,
    "code": ErrorCode.TASK_ABANDONED,
    "message": "",
}


@dataclass(frozen=True)
class LeftOut:
    """Leaves out one condition of one transition, or with `member`, one alternative of an AnyOf."""

    transition: str
    index: int
    member: int | None
    text: str

    def __call__(self, transition: Transition) -> Transition:
        """Return the transition without that condition."""
        if transition.name != self.transition:
            return transition
        conditions = list(transition.conditions)
        group = conditions.pop(self.index)
        if self.member is not None:
            assert isinstance(group, AnyOf)
            other_conditions = group.conditions[: self.member] + group.conditions[self.member + 1 :]
            conditions.insert(self.index, AnyOf(other_conditions))
        return replace(transition, conditions=tuple(conditions))

    def __str__(self) -> str:
        """Return the part of the test's id that names the condition."""
        return f"{self.transition}-{self.text}"


def transitions() -> dict[str, Transition]:
    """Return an example of each transition of `domain.protocol`."""
    examples: dict[str, Transition] = {}
    for name, function in inspect.getmembers(protocol, inspect.isfunction):
        is_public = function.__module__ == protocol.__name__ and not name.startswith("_")
        if is_public and inspect.signature(function).return_annotation is Transition:
            examples[name] = _call(function)
    return examples


def every_condition() -> list[LeftOut]:
    """Return all conditions that can be left out, including each alternative of an AnyOf."""
    result: list[LeftOut] = []
    for name, transition in transitions().items():
        for index, condition in enumerate(transition.conditions):
            result.append(LeftOut(name, index, None, _text(condition)))
            if isinstance(condition, AnyOf):
                result += [
                    LeftOut(name, index, member, f"any-without-{_text(alternative)}")
                    for member, alternative in enumerate(condition.conditions)
                ]
    return result


def _call(function: Callable[..., Transition]) -> Transition:
    parameters = inspect.signature(function).parameters.values()
    return function(
        **{
            parameter.name: _ARGUMENTS[parameter.name]
            for parameter in parameters
            if parameter.default is parameter.empty and parameter.kind is not parameter.POSITIONAL_ONLY
        }
    )


def _text(condition: Condition) -> str:
    if isinstance(condition, AnyOf):
        return "any"
    return f"{type(condition).__name__.lower()}-{condition.attribute}"
