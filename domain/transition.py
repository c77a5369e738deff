"""A change of a row, as data.

`adapters/table.py` writes it to DynamoDB as one conditional update; the model check applies it to a
dictionary, also with single conditions left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.conditions import Condition, OneOf


@dataclass(frozen=True, slots=True)
class Transition:
    """One conditional write: attributes to set, remove, add to (numbers) and extend (text sets).

    With `replace`, it writes the whole item; otherwise it updates the row in place.
    """

    name: str
    conditions: tuple[Condition, ...]
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    add_to_sets: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False

    def is_allowed(self, item: Mapping[str, Any]) -> bool:
        """Return whether a row meets all conditions; an empty mapping means that there is no row."""
        return all(condition.is_met_by(item) for condition in self.conditions)

    def apply_to(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row after the write."""
        result = {} if self.replace else dict(item)
        result.update(self.set)
        for name in self.remove:
            result.pop(name, None)
        for name, number in self.add.items():
            result[name] = int(result.get(name) or 0) + number
        for name, value in self.add_to_sets.items():
            result[name] = frozenset(result.get(name) or ()) | {value}
        return result

    def is_already_applied(self, item: Mapping[str, Any]) -> bool:
        """Return whether a row that refuses this write already has the values that the write sets.

        botocore sends a write again if its response was lost, and the second one is refused. A worker that
        took this for a lost lease would delete the objects that its own outcome names.
        """
        changed = self.set.keys() | set(self.remove)
        is_same_claim = all(
            condition.is_met_by(item)
            for condition in self.conditions
            if isinstance(condition, OneOf)
            and condition.attribute in ("submission_id", "fence")
            and condition.attribute not in changed
        )
        return (
            is_same_claim
            and all(item.get(name) == value for name, value in self.set.items())
            and all(item.get(name) is None for name in self.remove)
            and all(value in (item.get(name) or ()) for name, value in self.add_to_sets.items())
        )
