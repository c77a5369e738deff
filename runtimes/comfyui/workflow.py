"""The graph of a workflow in API format: its links, what an output needs, and in which order nodes run."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtimes.comfyui.catalogue import Catalogue

Prompt = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Link:
    """An input of a node that takes an output of another one; `slot` is the number of that output."""

    node: str
    input: str
    source: str
    slot: int


def is_link(value: Any) -> bool:
    """Return whether the value of an input has the form of a link, as ComfyUI decides it."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
        and not isinstance(value[1], bool)
    )


def slot(value: Any) -> int:
    """Return the number of an output; -1 for what is no whole number."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else -1
    return int(value)


def links(prompt: Prompt) -> Iterator[Link]:
    """Yield the links of a workflow, also those to nodes that it does not have."""
    for node_id, node in prompt.items():
        for name, value in node["inputs"].items():
            if is_link(value):
                yield Link(node_id, name, value[0], slot(value[1]))


def sources(prompt: Prompt) -> dict[str, list[str]]:
    """Return, for each node, the nodes that it takes inputs from."""
    # Dicts instead of sets, which would not keep the order.
    by_node: dict[str, dict[str, None]] = {node: {} for node in prompt}
    for link in links(prompt):
        if link.source in by_node:
            by_node[link.node][link.source] = None
    return {node: list(needed) for node, needed in by_node.items()}


def reachable(prompt: Prompt, outputs: Iterable[str]) -> set[str]:
    """Return the nodes that must run for these output nodes, including themselves."""
    before = sources(prompt)
    needed: set[str] = set()
    waiting = deque(node for node in outputs if node in before)
    while waiting:
        node = waiting.popleft()
        if node not in needed:
            needed.add(node)
            waiting.extend(before[node])
    return needed


def order(prompt: Prompt) -> list[str]:
    """Return the nodes, each after those it takes inputs from; nodes of a cycle and after it are left out."""
    before = sources(prompt)
    after: dict[str, list[str]] = {node: [] for node in prompt}
    for node, needed in before.items():
        for source in needed:
            after[source].append(node)
    unmet_counts = {node: len(needed) for node, needed in before.items()}
    ready = deque(node for node, count in unmet_counts.items() if not count)
    sorted_nodes = []
    while ready:
        node = ready.popleft()
        sorted_nodes.append(node)
        for follower in after[node]:
            unmet_counts[follower] -= 1
            if not unmet_counts[follower]:
                ready.append(follower)
    return sorted_nodes


def sources_by_order(prompt: Prompt) -> dict[str, list[str]]:
    """Return what `sources` does, of the nodes that `order` gives, and in that order."""
    before = sources(prompt)
    return {node: before[node] for node in order(prompt)}


def longest_chain(prompt: Prompt) -> int:
    """Return how many nodes the longest row of links has."""
    before = sources(prompt)
    length: dict[str, int] = {}
    for node in order(prompt):
        length[node] = 1 + max((length[source] for source in before[node]), default=0)
    return max(length.values(), default=0)


def output_nodes(prompt: Prompt, catalogue: Catalogue) -> list[str]:
    """Return the output nodes of a workflow, of the classes that the catalogue has."""
    outputs = []
    for node_id, node in prompt.items():
        node_class = catalogue.get(node["class_type"])
        if node_class is not None and node_class.is_output:
            outputs.append(node_id)
    return outputs


def wanted_nodes(content: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Return the output nodes that checked content wants, in the order of their files."""
    return list(content.get("outputs") or output_nodes(content["prompt"], catalogue))


def constant(prompt: Prompt, value: Any, *, hops: int = 20) -> Any:
    """Return a value, or that of the node of a constant that it is linked to; None if it is computed."""
    for _ in range(hops):
        if not is_link(value):
            return value
        node = prompt.get(value[0])
        if node is None or not node["class_type"].startswith(("Primitive", "Reroute")):
            return None
        inputs = node["inputs"]
        value = inputs.get("value", next(iter(inputs.values()), None))
    return None


def number(prompt: Prompt, value: Any) -> float | None:
    """Return the number of an input, at least 0, also through a constant; None if it is none or computed."""
    found = constant(prompt, value)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(min(max(found, 0), 2**64)) if found == found else None  # noqa: PLR0124 - NaN
