"""Parse the `<kind:name:…>` tags of a prompt as SD Web UI does, in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_START: Final = re.compile(r"<(\w+):")


NETWORK_KINDS: Final = frozenset({"lora", "lyco", "hypernet"})
"""Kinds of tags that name a network; SD Web UI removes tags of any kind from the prompt."""


@dataclass(frozen=True, slots=True)
class NetworkTag:
    """A tag; `start` and `end` delimit its name in the text, `opens` is where its kind begins."""

    kind: str
    name: str
    start: int
    end: int
    opens: int = 0
    weights: tuple[str, ...] = ()
    """What follows the name without `key=`: numbers, as SD Web UI reads them."""


def network_tags(text: str) -> Iterator[NetworkTag]:
    """Yield the tags of a prompt in order.

    SD Web UI takes everything from `<kind:` to the next `>`, splits it at the colons, and reads the first
    part that is not `key=value` as the name. A single pattern for that would take quadratic time on unclosed
    `<a:`. Here the end is searched once; if there is none, no further tag follows.
    """
    at = 0
    while (begin := _START.search(text, at)) is not None:
        inner = begin.end()
        close = text.find(">", inner)
        if close < 0:
            return
        at = close + 1
        parts = text[inner:close].split(":") if close > inner else []
        for index, part in enumerate(parts):
            if part.count("=") != 1:
                more = tuple(one for one in parts[index + 1 :] if one.count("=") != 1)
                yield NetworkTag(begin[1], part, inner, inner + len(part), begin.start() + 1, more)
                break
            inner += len(part) + 1


def remove_tags(text: str, kinds: frozenset[str] | None = None) -> str:
    """Return a prompt without its tags of the given kinds (None for all kinds)."""
    kept: list[str] = []
    at = 0
    while (begin := _START.search(text, at)) is not None:
        close = text.find(">", begin.end())
        if close < 0:
            break
        taken = close > begin.end() and (kinds is None or begin[1] in kinds)
        kept.append(text[at : begin.start() if taken else close + 1])
        at = close + 1
    return "".join((*kept, text[at:]))
