"""Conditions on a row, as data: DynamoDB evaluates them, and so does the model check of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Absent:
    """The row does not have the attribute (with `id`: there is no row)."""

    attribute: str

    def is_met_by(self, item: Mapping[str, Any]) -> bool:
        return item.get(self.attribute) is None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute has one of the values."""

    attribute: str
    values: tuple[Any, ...]

    def is_met_by(self, item: Mapping[str, Any]) -> bool:
        value = item.get(self.attribute)  # as in DynamoDB, an absent attribute equals nothing
        return value is not None and value in self.values


@dataclass(frozen=True, slots=True)
class Below:
    """The attribute is present and less than `value`; times compare as text."""

    attribute: str
    value: Any

    def is_met_by(self, item: Mapping[str, Any]) -> bool:
        current = item.get(self.attribute)
        return current is not None and bool(current < self.value)


@dataclass(frozen=True, slots=True)
class Lacks:
    """The set attribute does not contain `value`; an absent set contains nothing."""

    attribute: str
    value: str

    def is_met_by(self, item: Mapping[str, Any]) -> bool:
        return self.value not in (item.get(self.attribute) or ())


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions is met."""

    conditions: tuple["Condition", ...]

    def is_met_by(self, item: Mapping[str, Any]) -> bool:
        return any(condition.is_met_by(item) for condition in self.conditions)


Condition = Absent | OneOf | Below | Lacks | AnyOf
"""Any condition; its method `is_met_by` returns whether a row meets it."""


def equals(attribute: str, value: Any) -> OneOf:
    """Return the condition that the attribute equals the value."""
    return OneOf(attribute, (value,))
