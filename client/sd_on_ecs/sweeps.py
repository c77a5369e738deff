"""The values of a sweep: each combination becomes a task."""

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sd_on_ecs.errors import InputError

MAX_TASKS: Final = 1000
"""More is more likely a mistake than a wish."""

_NUMBER: Final = r"-?\d+(?:\.\d+)?"
_RANGE: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?")


@dataclass(frozen=True, slots=True)
class Axis:
    """A field and its values, as texts."""

    name: str
    values: Sequence[str]


def parse_axis(text: str) -> Axis:
    """Read `seed=1..20`, `denoising_strength=0.2..0.8..0.1`, `cfg_scale=5,7,9` or `prompt=["a, b", "c"]`."""
    name, equals, values = text.partition("=")
    if not name or not equals or not values:
        raise InputError(f"{text!r} is not FIELD=VALUES, such as seed=1..20 or cfg_scale=5,7,9")
    found = _RANGE.fullmatch(values)
    if found:
        return Axis(name, _range(text, *found.groups()))
    if values.startswith("["):
        try:
            items = json.loads(values)
        except ValueError:
            raise InputError(f"{text!r}: the list is no JSON") from None
        return Axis(name, [item if isinstance(item, str) else json.dumps(item) for item in items])
    return Axis(name, [value.strip() for value in values.split(",")])


def combinations(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Return all combinations; the values of the last axis change fastest."""
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise InputError(f"a field varies twice: {', '.join(names)}")
    found = [dict(zip(names, values, strict=True)) for values in itertools.product(*(a.values for a in axes))]
    if not 0 < len(found) <= MAX_TASKS:
        raise InputError(f"the sweep has {len(found):,} tasks; 1 to {MAX_TASKS:,} are allowed")
    return found


def task_ids(batch: str, count: int) -> list[str]:
    """Return ids that sort in the order of the tasks."""
    digits = len(str(count))
    return [f"{batch}-{number:0{digits}}" for number in range(1, count + 1)]


def label(values: Mapping[str, str]) -> str:
    """Return what distinguishes a task of a sweep, in one line."""
    return "  ".join(f"{name}={value}" for name, value in values.items())


def _range(text: str, first: str, last: str, step: str | None) -> Sequence[str]:
    start, stop, by = Decimal(first), Decimal(last), Decimal(step or 1)
    if by <= 0 or stop < start:
        raise InputError(f"{text!r}: a range goes up, as in 1..20 or 0.2..0.8..0.1")
    count = int((stop - start) / by) + 1
    if count > MAX_TASKS:
        raise InputError(f"{text!r} has {count:,} values; {MAX_TASKS:,} are allowed")
    return [str(start + by * number) for number in range(count)]


def columns(axes: Sequence[Axis], count: int) -> int:
    """Return how many images of a sweep stand beside each other: the last axis, if there are several."""
    if len(axes) > 1:
        return len(axes[-1].values)
    return math.isqrt(count - 1) + 1
