"""Read `FIELD=VALUE` of the command line, and put values into bodies."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from sd_on_ecs.bodies import Body
from sd_on_ecs.errors import InputError

Setter = Callable[[Body, str, str], None]
"""Puts a value of the command line into a body."""


def assignments(texts: Iterable[str] | None) -> list[tuple[str, str]]:
    """Return names and values of `NAME=VALUE`; raise `InputError` for other texts."""
    found = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputError(f"{text!r} is not NAME=VALUE")
        found.append((name, value))
    return found


def typed(text: str, *, instead_of: Any = None) -> Any:
    """Return a value as JSON if it is JSON, such as a number, and otherwise as text.

    What replaces a text stays text.
    """
    if isinstance(instead_of, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def set_field(body: Body, name: str, text: str) -> None:
    """Set a field of a task's content; dots lead into objects, as in `override_settings.eta_ancestral`."""
    holder = body["task"]["content"]
    *outer, last = name.split(".")
    for key in outer:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise InputError(f"{name}: {key} is no object")
    holder[last] = typed(text, instead_of=holder.get(last))
