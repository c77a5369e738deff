"""Check the links and outputs of a workflow as a whole."""

from typing import Any, Final

from domain.body import pointer
from runtimes.comfyui.catalogue import ANY, Catalogue, NodeClass
from runtimes.comfyui.node_values import nearest
from runtimes.comfyui.options import MOST_NODES, Options
from runtimes.comfyui.workflow import Link, links, longest_chain, order, output_nodes
from runtimes.findings import Findings

_VALUES: Final = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "choice", "prefix"})
"""Types between which ComfyUI's versions differ in what they convert, so that only the worker decides."""


def check_graph(
    prompt: dict[str, Any], outputs: Any, options: Options, found: Findings, path: str
) -> list[str] | None:
    """Report faults of links, cycles, sizes and outputs; return the wanted output nodes, if any are given."""
    if len(prompt) > options.nodes:
        found.fault(path, f"at most {options.nodes} nodes are allowed")
        return None
    catalogue = options.catalogue
    linked = list(links(prompt))
    for link in linked:
        if reason := _wrong(link, prompt, catalogue):
            found.fault(f"{path}/{pointer(link.node)}/inputs/{pointer(link.input)}", reason)
    ordered = order(prompt)
    if len(ordered) < len(prompt):
        _report_cycle(prompt, set(ordered), linked, found, path)
    elif longest_chain(prompt) > MOST_NODES:
        found.fault(path, f"a row of more than {MOST_NODES} nodes is not run")
    return _outputs(prompt, outputs, catalogue, found, path)


def _wrong(link: Link, prompt: dict[str, Any], catalogue: Catalogue) -> str | None:
    source = prompt.get(link.source)
    if source is None:
        return f"there is no node {link.source[:64]!r}{nearest(link.source, list(prompt))}"
    source_class = catalogue.get(source["class_type"])
    if link.slot < 0:
        return "the number of an output begins at 0"
    return _unfit(link, source_class, prompt, catalogue) if source_class else None


def _unfit(link: Link, source_class: NodeClass, prompt: dict[str, Any], catalogue: Catalogue) -> str | None:
    if link.slot >= len(source_class.outputs):
        count = len(source_class.outputs)
        return f"node {link.source[:64]!r} ({source_class.name}) has {count} outputs, numbered from 0"
    node_class = catalogue.get(prompt[link.node]["class_type"])
    taken = node_class.input(link.input) if node_class else None
    if taken is None:
        return None
    given = source_class.outputs[link.slot]
    if _fits(given, taken.kind):
        return None
    return f"{taken.kind} is expected, but output {link.slot} of node {link.source[:64]!r} is {given}"


def _fits(given: str, taken: str) -> bool:
    offered, accepted = set(given.split(",")), set(taken.split(","))
    if ANY in offered | accepted or offered & accepted:
        return True
    return bool(offered & _VALUES) and bool(accepted & _VALUES)


def _report_cycle(
    prompt: dict[str, Any], ordered: set[str], linked: list[Link], found: Findings, path: str
) -> None:
    """Report one link of a cycle: follow links among the nodes that cannot be ordered until one repeats."""
    into = {link.node: link for link in linked if link.source not in ordered and link.source in prompt}
    node, seen = next(one for one in prompt if one not in ordered), set()
    while node not in seen:
        seen.add(node)
        node = into[node].source
    link = into[node]
    here = f"{path}/{pointer(link.node)}/inputs/{pointer(link.input)}"
    found.fault(here, "the links form a circle: this node needs its own output")


def _outputs(
    prompt: dict[str, Any], outputs: Any, catalogue: Catalogue, found: Findings, path: str
) -> list[str] | None:
    known = output_nodes(prompt, catalogue)
    custom = {node for node, one in prompt.items() if catalogue.get(one["class_type"]) is None}
    if prompt and not known and not custom:
        found.fault(path, "no node stores anything: add an output node such as SaveImage")
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not outputs:
        found.fault("/outputs", "a list of ids of output nodes is expected")
        return None
    wanted: list[str] = []
    for index, node in enumerate(outputs):
        here = f"/outputs/{index}"
        if not isinstance(node, str) or node not in prompt:
            hint = nearest(node, list(prompt)) if isinstance(node, str) else ""
            found.fault(here, f"the id of a node of this workflow is expected{hint}")
        elif node in wanted:
            found.fault(here, "this node is listed twice")
        elif node not in known and node not in custom:
            found.fault(here, f"{prompt[node]['class_type']} is no output node")
        else:
            wanted.append(node)
    return wanted
