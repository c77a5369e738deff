"""Read values of the command line, and put them into bodies."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sd_on_ecs.bodies import Body, Image
from sd_on_ecs.errors import InputError

Setter = Callable[[Body, str, str], None]
"""Puts a value of the command line into a body."""

LINKS: Final = ("https://", "http://", "s3://")


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


def image_argument(text: str) -> Image:
    """Return the image that an argument names: a link, or a file of this machine."""
    if text.startswith(LINKS):
        return text
    path = Path(text)
    try:
        found = path.is_file()
    except OSError:  # a name that is too long, such as an image in base64
        found = False
    if not found:
        text = text if len(text) < 200 else f"{text[:200]}…"
        raise InputError(f"{text} is no file, and no link that begins with {', '.join(LINKS)}")
    return path


def set_field(body: Body, name: str, text: str) -> None:
    """Set a field of a task's content; dots lead into objects, as in `override_settings.eta_ancestral`."""
    holder = body["task"]["content"]
    *outer, last = name.split(".")
    for key in outer:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise InputError(f"{name}: {key} is no object")
    holder[last] = typed(text, instead_of=holder.get(last))


def set_node_input(body: Body, name: str, text: str) -> None:
    """Set an input of a workflow's node, which its id or its title names, as in `6.text`."""
    inputs, entry = find_input(body["task"]["content"]["prompt"], name)
    inputs[entry] = typed(text, instead_of=inputs[entry])


def find_input(
    graph: Mapping[str, Any], name: str, *, default: str | None = None
) -> tuple[dict[str, Any], str]:
    """Return the inputs of the node in `NODE.INPUT`, and the name of this input.

    With a default, `NODE` alone stands for this input of it. Raise `InputError` without such a node or input.
    """
    wanted, dot, entry = name.rpartition(".")
    if default is not None and (not dot or _nodes(graph, name)):
        wanted, entry = name, default
    found = _nodes(graph, wanted or name)
    if len(found) != 1:
        reason = "several nodes have this title" if found else f"the nodes are {_listed(graph)}"
        raise InputError(f"{name}: there is no node {wanted or name}: {reason}")
    inputs: dict[str, Any] = graph[found[0]]["inputs"]
    if entry not in inputs:
        raise InputError(f"{name}: node {found[0]} has no input {entry}; it has {_listed(inputs)}")
    return inputs, entry


def _nodes(graph: Mapping[str, Any], name: str) -> list[str]:
    """Return the ids of the nodes that an id or a title names."""
    if name in graph:
        return [name]
    return [key for key, node in graph.items() if (node.get("_meta") or {}).get("title") == name]


def set_at_pointer(body: Body, pointer: str, text: str) -> None:
    """Set a value of the command line where a JSON pointer leads in a request."""
    at_pointer(body, pointer, typed(text))


def at_pointer(body: Any, pointer: str, value: Any) -> None:
    """Put a value where a JSON pointer leads in a body; raise `InputError` if it leads nowhere."""
    first, *parts = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/"))
    try:
        *outer, last = [] if first else parts
        for part in outer:
            body = body[int(part)] if isinstance(body, list) else body[part]
        body[int(last) if isinstance(body, list) else last] = value
    except (LookupError, TypeError, ValueError):
        raise InputError(
            f"{pointer!r} leads to nothing in the body; it is a pointer such as /task/content/image"
        ) from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
