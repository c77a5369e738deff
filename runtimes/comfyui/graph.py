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
    prompt: dict[str, Any], outputs: Any, options: Options, findings: Findings, path: str
) -> list[str] | None:
    """Report faults of links, cycles, sizes and outputs; return the requested output nodes."""
    if len(prompt) > options.nodes:
        findings.fault(path, f"at most {options.nodes} nodes are allowed")
        return None
    catalogue = options.catalogue
    all_links = list(links(prompt))
    for link in all_links:
        if reason := _link_fault(link, prompt, catalogue):
            findings.fault(f"{path}/{pointer(link.node)}/inputs/{pointer(link.input)}", reason)
    sorted_nodes = order(prompt)
    if len(sorted_nodes) < len(prompt):
        _report_cycle(prompt, set(sorted_nodes), all_links, findings, path)
    elif longest_chain(prompt) > MOST_NODES:
        findings.fault(path, f"a row of more than {MOST_NODES} nodes is not run")
    return _check_outputs(prompt, outputs, catalogue, findings, path)


def _link_fault(link: Link, prompt: dict[str, Any], catalogue: Catalogue) -> str | None:
    source = prompt.get(link.source)
    if source is None:
        return f"there is no node {link.source[:64]!r}{nearest(link.source, list(prompt))}"
    source_class = catalogue.get(source["class_type"])
    if link.slot < 0:
        return "the number of an output begins at 0"
    return _type_fault(link, source_class, prompt, catalogue) if source_class else None


def _type_fault(
    link: Link, source_class: NodeClass, prompt: dict[str, Any], catalogue: Catalogue
) -> str | None:
    if link.slot >= len(source_class.outputs):
        count = len(source_class.outputs)
        return f"node {link.source[:64]!r} ({source_class.name}) has {count} outputs, numbered from 0"
    node_class = catalogue.get(prompt[link.node]["class_type"])
    target = node_class.input(link.input) if node_class else None
    if target is None:
        return None
    output_type = source_class.outputs[link.slot]
    if _are_compatible(output_type, target.kind):
        return None
    return f"{target.kind} is expected, but output {link.slot} of node {link.source[:64]!r} is {output_type}"


def _are_compatible(output_type: str, input_type: str) -> bool:
    offered, accepted = set(output_type.split(",")), set(input_type.split(","))
    if ANY in offered | accepted or offered & accepted:
        return True
    return bool(offered & _VALUES) and bool(accepted & _VALUES)


def _report_cycle(
    prompt: dict[str, Any], sorted_nodes: set[str], all_links: list[Link], findings: Findings, path: str
) -> None:
    """Report one link of a cycle: follow links among the nodes that cannot be ordered until one repeats."""
    link_into = {
        link.node: link for link in all_links if link.source not in sorted_nodes and link.source in prompt
    }
    node, seen = next(name for name in prompt if name not in sorted_nodes), set()
    while node not in seen:
        seen.add(node)
        node = link_into[node].source
    link = link_into[node]
    input_path = f"{path}/{pointer(link.node)}/inputs/{pointer(link.input)}"
    findings.fault(input_path, "the links form a circle: this node needs its own output")


def _check_outputs(
    prompt: dict[str, Any], outputs: Any, catalogue: Catalogue, findings: Findings, path: str
) -> list[str] | None:
    known_outputs = output_nodes(prompt, catalogue)
    # Only the worker knows whether a node of a class outside the catalogue is an output node.
    custom_nodes = {name for name, node in prompt.items() if catalogue.get(node["class_type"]) is None}
    if prompt and not known_outputs and not custom_nodes:
        findings.fault(path, "no node stores anything: add an output node such as SaveImage")
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not outputs:
        findings.fault("/outputs", "a list of ids of output nodes is expected")
        return None
    requested: list[str] = []
    for index, node in enumerate(outputs):
        output_path = f"/outputs/{index}"
        if not isinstance(node, str) or node not in prompt:
            hint = nearest(node, list(prompt)) if isinstance(node, str) else ""
            findings.fault(output_path, f"the id of a node of this workflow is expected{hint}")
        elif node in requested:
            findings.fault(output_path, "this node is listed twice")
        elif node not in known_outputs and node not in custom_nodes:
            findings.fault(output_path, f"{prompt[node]['class_type']} is no output node")
        else:
            requested.append(node)
    return requested
