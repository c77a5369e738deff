"""A change of a row, as data: `adapters/table.py` writes it to DynamoDB as one conditional update, and the
model check applies it to a dictionary, with any one condition left out.
"""  # noqa: D205 - one sentence

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.conditions import Condition, OneOf


@dataclass(frozen=True, slots=True)
class Transition:
    """Describe one conditional write: attributes set, removed, added to (numbers) and united (text sets).

    `replace` puts the whole item; else the row is updated in place.
    """

    name: str
    conditions: tuple[Condition, ...]
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    unite: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False

    def allowed(self, item: Mapping[str, Any]) -> bool:
        """Tell whether every condition holds for a row (an empty mapping where there is none)."""
        return all(condition.holds(item) for condition in self.conditions)

    def applied(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row after the write."""
        result = {} if self.replace else dict(item)
        result.update(self.set)
        for name in self.remove:
            result.pop(name, None)
        for name, number in self.add.items():
            result[name] = int(result.get(name) or 0) + number
        for name, value in self.unite.items():
            result[name] = frozenset(result.get(name) or ()) | {value}
        return result

    def left(self, item: Mapping[str, Any]) -> bool:
        """Tell whether a row that refuses this write is as the write itself left it.

        botocore sends a write again when its answer is lost, and the second one is refused. A worker that
        took that for a defeat would delete the very objects its own outcome names.
        """
        touched = self.set.keys() | set(self.remove)
        names_me = all(
            condition.holds(item)
            for condition in self.conditions
            if isinstance(condition, OneOf)
            and condition.attribute in ("submission_id", "fence")
            and condition.attribute not in touched
        )
        return (
            names_me
            and all(item.get(name) == value for name, value in self.set.items())
            and all(item.get(name) is None for name in self.remove)
            and all(value in (item.get(name) or ()) for name, value in self.unite.items())
        )
