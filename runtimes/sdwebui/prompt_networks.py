"""The `<kind:name:…>` tags of a prompt, read as SD Web UI reads them, in time linear in the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_START: Final = re.compile(r"<(\w+):")


NETWORK_KINDS: Final = frozenset({"lora", "lyco", "hypernet"})
"""Kinds that name a network; SD Web UI leaves every tag out of the prompt, of whatever kind."""


@dataclass(frozen=True, slots=True)
class NetworkTag:
    """Describe one tag; `start` and `end` are those of its name in the text, `opens` is its kind's start."""

    kind: str
    name: str
    start: int
    end: int
    opens: int = 0
    weights: tuple[str, ...] = ()
    """What stands behind the name without `key=`: numbers, as SD Web UI reads them."""


def network_tags(text: str) -> Iterator[NetworkTag]:
    """Yield the tags of a prompt in their order.

    SD Web UI takes everything from `<kind:` to the next `>`, splits it at the colons, and reads the first
    part that is not `key=value` as the name. One pattern for all of that would take quadratic time on `<a:`
    without an end: the end is looked for once, and where there is none, there is no further tag.
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


def without_tags(text: str, kinds: frozenset[str] | None = None) -> str:
    """Return a prompt without its tags of these kinds, None: without any."""
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
