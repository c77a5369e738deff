"""Check prompts: the networks that they name, and how much their grammar costs to parse."""

import re
from collections.abc import Iterator
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from domain.limits import Limits
from runtimes.sdwebui.prompt_networks import NETWORK_KINDS, network_tags, remove_tags

PROMPTS: Final = ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")

MAX_NETWORKS: Final = 100
"""Maximum number of networks in a task's prompts; each is looked up, and all are applied at every step."""

MAX_MARKS: Final = 500
"""Maximum number of brackets, colons and bars in a prompt. The time of SD Web UI's parser grows with their
cube: 300 took 4 s on two busy cores, 1,200 took 194 s, before the first step, where no interrupt is
noticed."""

MAX_DEPTH: Final = 50
"""Maximum depth of nested brackets."""

_MARKS: Final = re.compile(r"\\.|[()\[\]:|]", re.DOTALL)
"""Marks of the grammar; after a backslash, they are plain text."""

_OPENING: Final = frozenset("([")
_CLOSING: Final = frozenset(")]")


def strip_networks(text: str) -> str:
    """Return a prompt without the networks that it names."""
    return remove_tags(text, NETWORK_KINDS)


def prompt_faults(content: dict[str, Any], limits: Limits) -> Iterator[Fault]:
    """Yield a fault for each prompt of a task and its scripts that is too long, too deep or too complex."""
    networks = 0
    for path, text in prompt_texts(content):
        if len(text) > limits.prompt_characters:
            yield Fault(path, f"must have at most {limits.prompt_characters} characters")
            continue
        networks += sum(tag.kind in NETWORK_KINDS for tag in network_tags(text))
        if networks > MAX_NETWORKS:
            yield Fault(path, f"the prompts of a task may name at most {MAX_NETWORKS} networks")
            return
        marks, depth = _count_marks(remove_tags(text))
        if marks > MAX_MARKS:
            yield Fault(path, f"must have at most {MAX_MARKS} of the characters ( ) [ ] : |")
        elif depth > MAX_DEPTH:
            yield Fault(path, f"brackets may be nested at most {MAX_DEPTH} deep")


def prompt_texts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text that SD Web UI reads as a prompt, with its JSON pointer."""
    for name in PROMPTS:
        if isinstance(content.get(name), str):
            yield f"/{name}", content[name]
    scripts = content.get("alwayson_scripts")
    for name, entry in scripts.items() if isinstance(scripts, dict) else ():
        yield from _script_prompts(entry, f"/alwayson_scripts/{pointer(name)}")
    arguments = content.get("script_args")
    for index, item in enumerate(arguments if isinstance(arguments, list) else ()):
        if isinstance(item, str):
            yield f"/script_args/{index}", item


def _script_prompts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}/{pointer(key)}"
            if isinstance(item, str) and "prompt" in key.lower():
                yield here, item
            else:
                yield from _script_prompts(item, here)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _script_prompts(item, f"{path}/{index}")


def _count_marks(text: str) -> tuple[int, int]:
    """Return how many marks of the grammar a prompt has, and how deep its brackets are nested."""
    count = depth = deepest = 0
    for mark in _MARKS.finditer(text):
        if mark[0].startswith("\\"):
            continue
        count += 1
        if mark[0] in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in _CLOSING:
            depth = max(0, depth - 1)
    return count, deepest
