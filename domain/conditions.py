"""Conditions on a row, as data: DynamoDB evaluates them, and so does the protocol's model check."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Absent:
    """Hold when the row has no such attribute (`id`: when there is no row)."""

    attribute: str

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        return item.get(self.attribute) is None


@dataclass(frozen=True, slots=True)
class Present:
    """Hold when the row has the attribute."""

    attribute: str

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        return item.get(self.attribute) is not None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Hold when the attribute has one of the values."""

    attribute: str
    values: tuple[Any, ...]

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        present = item.get(self.attribute)  # absent is equal to nothing, as in DynamoDB
        return present is not None and present in self.values


@dataclass(frozen=True, slots=True)
class Below:
    """Hold when the attribute is present and less than `value` (times compare as text)."""

    attribute: str
    value: Any

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        present = item.get(self.attribute)
        return present is not None and bool(present < self.value)


@dataclass(frozen=True, slots=True)
class Lacks:
    """Hold when the set attribute does not contain `value` (an absent set contains nothing)."""

    attribute: str
    value: str

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        return self.value not in (item.get(self.attribute) or ())


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Hold when one of the conditions holds."""

    conditions: tuple["Condition", ...]

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Evaluate against a row."""
        return any(condition.holds(item) for condition in self.conditions)


Condition = Absent | Present | OneOf | Below | Lacks | AnyOf


def equals(attribute: str, value: Any) -> OneOf:
    """Return the condition that the attribute has this value."""
    return OneOf(attribute, (value,))
