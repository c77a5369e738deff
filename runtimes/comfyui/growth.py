"""Find texts, prompts and sounds that nodes join until they fill the server's memory."""

from collections.abc import Iterator
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from domain.limits import Limits
from runtimes.comfyui.workflow import is_link, number, sources_by_order

_CONCATENATES: Final = "StringConcatenate"
_REPLACES: Final = "StringReplace"
_CUTS: Final = "StringSubstring"
_JOINS_PROMPTS: Final = frozenset(
    {
        "ConditioningCombine",
        "ConditioningConcat",
        "ConditioningSetDefaultCombine",
        "ConditioningSetPropertiesAndCombine",
        "PairConditioningCombine",
        "PairConditioningSetDefaultCombine",
        "PairConditioningSetPropertiesAndCombine",
    }
)
_MOST_PROMPTS: Final = 300
_JOINS_SOUNDS: Final = frozenset({"AudioConcat"})
_MOST_SOUNDS: Final = 8


def growth_faults(prompt: dict[str, Any], limits: Limits, path: str) -> Iterator[Fault]:
    """Yield the nodes that join more than is allowed."""
    nodes = list(sources_by_order(prompt))
    yield from _text_faults(prompt, nodes, limits.prompt_characters, path)
    yield from _part_faults(prompt, nodes, _JOINS_PROMPTS, _MOST_PROMPTS, path)
    yield from _part_faults(prompt, nodes, _JOINS_SOUNDS, _MOST_SOUNDS, path)


def _text_faults(prompt: dict[str, Any], nodes: list[str], most: int, path: str) -> Iterator[Fault]:
    lengths: dict[str, float] = {}
    for node in nodes:
        lengths[node] = _length(prompt, node, lengths)
        if prompt[node]["class_type"] in (_CONCATENATES, _REPLACES) and lengths[node] > most:
            lengths[node] = most
            text = f"the text that it makes may have at most {most} characters"
            yield Fault(f"{path}/{pointer(node)}", text)


def _part_faults(
    prompt: dict[str, Any], nodes: list[str], joining: frozenset[str], most: int, path: str
) -> Iterator[Fault]:
    """Yield the nodes of joining classes that join too many parts, each counted as often as it occurs."""
    parts: dict[str, float] = {}
    for node in nodes:
        taken = [parts.get(value[0], 1.0) for value in prompt[node]["inputs"].values() if is_link(value)]
        joins = prompt[node]["class_type"] in joining
        parts[node] = sum(taken) if joins else max(taken, default=1.0)
        if joins and parts[node] > most:
            parts[node] = most
            text = f"at most {most} parts may be joined, each counted as often as it occurs"
            yield Fault(f"{path}/{pointer(node)}", text)


def _length(prompt: dict[str, Any], node: str, lengths: dict[str, float]) -> float:
    """Return how long the text is that a node makes at most, as far as its constants tell."""
    inputs = prompt[node]["inputs"]
    own = {name: _characters(value, lengths) for name, value in inputs.items()}
    if prompt[node]["class_type"] == _CONCATENATES:
        return sum(own.get(name, 0.0) for name in ("string_a", "string_b", "delimiter"))
    if prompt[node]["class_type"] == _CUTS:
        # Negative numbers count from the end of the text; `number` reads them as 0.
        end = number(prompt, inputs.get("end"))
        return min(own.get("string", 0.0), end or float("inf"))
    if prompt[node]["class_type"] != _REPLACES:
        return max(own.values(), default=0.0)
    text, find, new = inputs.get("string"), inputs.get("find"), own.get("replace", 0.0)
    length, replaced = own.get("string", 0.0), own.get("find", 0.0) if isinstance(find, str) else 0.0
    if isinstance(text, str) and isinstance(find, str):
        count: float = text.count(find)
    else:
        # An empty text is found before each character and at the end.
        count = length // replaced if replaced else length + 1
    return length + count * max(0.0, new - replaced)


def _characters(value: Any, lengths: dict[str, float]) -> float:
    if is_link(value):
        return lengths.get(value[0], 0.0)
    return float(len(value)) if isinstance(value, str) else 0.0
