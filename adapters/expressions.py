"""Translate the protocol's conditions and writes into DynamoDB expressions."""

from dataclasses import dataclass, field
from typing import Any

from domain.conditions import Absent, AnyOf, Below, Condition, Lacks, OneOf
from domain.transition import Transition


@dataclass(slots=True)
class Expressions:
    """Collects the placeholders of one write; the table serializes the values later."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def condition(self, transition: Transition) -> str:
        """Return the transition's conditions as a ConditionExpression."""
        return " AND ".join(self._condition(condition) for condition in transition.conditions)

    def update(self, transition: Transition) -> str:
        """Return the transition's writes as an UpdateExpression."""
        clauses = []
        if transition.set:
            pairs = (f"{self._name(name)} = {self._value(value)}" for name, value in transition.set.items())
            clauses.append("SET " + ", ".join(pairs))
        if transition.remove:
            clauses.append("REMOVE " + ", ".join(self._name(name) for name in transition.remove))
        added = dict(transition.add) | {name: {value} for name, value in transition.add_to_sets.items()}
        if added:
            pairs = (f"{self._name(name)} {self._value(value)}" for name, value in added.items())
            clauses.append("ADD " + ", ".join(pairs))
        return " ".join(clauses)

    def _condition(self, condition: Condition) -> str:
        match condition:
            case Absent(attribute):
                return f"attribute_not_exists({self._name(attribute)})"
            case OneOf(attribute, values):
                return f"{self._name(attribute)} IN ({', '.join(self._value(value) for value in values)})"
            case Below(attribute, value):
                return f"{self._name(attribute)} < {self._value(value)}"
            case Lacks(attribute, value):
                return f"NOT contains({self._name(attribute)}, {self._value(value)})"
            case AnyOf(conditions):
                return "(" + " OR ".join(self._condition(alternative) for alternative in conditions) + ")"

    def _name(self, attribute: str) -> str:
        # All names are placeholders, because `status`, `context`, `error` and more are reserved words.
        placeholder = f"#{attribute}"
        self.names[placeholder] = attribute
        return placeholder

    def _value(self, value: Any) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder
