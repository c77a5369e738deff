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

_ARGUMENTS: dict[str, Any] = {
    "item": {"id": "t"},
    "row": Row({"id": "t", "submission_id": "0", "runtime": "r", "status": "queued", "fence": "0001"}),
    "previous": Row({"id": "t", "submission_id": "0", "notified_at": "2026"}),
    "finished": Row({"id": "t", "submission_id": "0", "notified_at": "2026"}),
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
            rest = group.conditions[: self.member] + group.conditions[self.member + 1 :]
            conditions.insert(self.index, AnyOf(rest))
        return replace(transition, conditions=tuple(conditions))

    def __str__(self) -> str:
        """Return the name of the test."""
        return f"{self.transition}-{self.text}"


def transitions() -> dict[str, Transition]:
    """Return an example of each transition of `domain.protocol`."""
    found: dict[str, Transition] = {}
    for name, function in inspect.getmembers(protocol, inspect.isfunction):
        public = function.__module__ == protocol.__name__ and not name.startswith("_")
        if public and inspect.signature(function).return_annotation is Transition:
            found[name] = _call(function)
    return found


def every_condition() -> list[LeftOut]:
    """Return all conditions that can be left out, including each alternative of an AnyOf."""
    result: list[LeftOut] = []
    for name, transition in transitions().items():
        for index, condition in enumerate(transition.conditions):
            result.append(LeftOut(name, index, None, _text(condition)))
            if isinstance(condition, AnyOf):
                result += [
                    LeftOut(name, index, member, f"any-without-{_text(one)}")
                    for member, one in enumerate(condition.conditions)
                ]
    return result


def _call(function: Callable[..., Transition]) -> Transition:
    parameters = inspect.signature(function).parameters.values()
    return function(
        **{
            p.name: _ARGUMENTS[p.name]
            for p in parameters
            if p.default is p.empty and p.kind is not p.POSITIONAL_ONLY
        }
    )


def _text(condition: Condition) -> str:
    if isinstance(condition, AnyOf):
        return "any"
    return f"{type(condition).__name__.lower()}-{condition.attribute}"
