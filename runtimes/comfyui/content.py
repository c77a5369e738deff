"""Check the whole content of a ComfyUI request, and bring it into the form that all other code reads."""

import json
from typing import Any, Final

from domain.body import pointer
from domain.limits import Limits
from domain.routing import Runtime
from runtimes.comfyui.graph import check_graph
from runtimes.comfyui.input_files import InputFiles
from runtimes.comfyui.nodes import NodeCheck
from runtimes.comfyui.options import Options
from runtimes.comfyui.shapes import Request, read
from runtimes.comfyui.work import limit_faults
from runtimes.findings import Findings
from runtimes.links import is_link

MOST_WORKFLOW_BYTES: Final = 1024 * 1024

CHECKPOINTS: Final = "checkpoints"


def check(
    content: dict[str, Any], runtime: Runtime | None, limits: Limits, findings: Findings
) -> dict[str, Any]:
    """Return checked content: `prompt`, `files`, and `outputs` and `workflow` if they were sent.

    It is only valid if `findings` has no faults. Checking it again changes nothing, so that a worker can do
    it too.
    """
    options = Options.of(runtime)
    request = read(content, findings)
    files = InputFiles(findings)
    files.read(request.files, request.file_paths)
    if len(request.prompt) > options.nodes:
        findings.fault(request.prompt_path, f"at most {options.nodes} nodes are allowed")
        return {"prompt": {}, "files": {}}
    nodes = NodeCheck(
        options, options.catalogue, files, findings, request.prompt_path, limits.prompt_characters
    )
    nodes.check(request.prompt)
    requested_outputs = check_graph(request.prompt, request.outputs, options, findings, request.prompt_path)
    _check_checkpoint(request, runtime, options, findings)
    for fault in limit_faults(request.prompt, limits, request.prompt_path):
        findings.fault(fault.path, fault.message)
    files.warn_of_unused(request.file_paths)
    _check_file_count(files.files, limits, findings)
    result: dict[str, Any] = {"prompt": request.prompt, "files": files.files}
    if requested_outputs is not None:
        result["outputs"] = requested_outputs
    workflow = _check_page_workflow(request.workflow, options, findings)
    if workflow is not None:
        result["workflow"] = workflow
    return result


def _check_checkpoint(
    request: Request, runtime: Runtime | None, options: Options, findings: Findings
) -> None:
    """Refuse another checkpoint than that of a runtime that serves one."""
    if runtime is None or runtime.dynamic_model:
        return
    for node_id, node in request.prompt.items():
        node_class = options.catalogue.get(node["class_type"])
        for name, value in node["inputs"].items():
            declared = node_class.input(name) if node_class else None
            if declared and declared.folder == CHECKPOINTS and value != runtime.model_filename:
                path = f"{request.prompt_path}/{pointer(node_id)}/inputs/{pointer(name)}"
                findings.fault(path, f"runtime {runtime.name} serves {runtime.model_filename!r} only")


def _check_file_count(files: dict[str, str], limits: Limits, findings: Findings) -> None:
    link_count = sum(is_link(value) for value in files.values())
    if link_count > limits.links:
        findings.fault("/files", f"a task may contain at most {limits.links} links")
    if len(files) - link_count > limits.images:
        findings.fault("/files", f"a task may contain at most {limits.images} images")


def _check_page_workflow(value: Any, options: Options, findings: Findings) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        findings.fault("/workflow", "the JSON object that ComfyUI's page saves is expected")
        return None
    if not options.metadata:
        findings.warn("/workflow", "ignored: this runtime writes no metadata into images (metadata: false)")
        return None
    if len(json.dumps(value).encode()) > MOST_WORKFLOW_BYTES:
        findings.fault("/workflow", f"at most {MOST_WORKFLOW_BYTES} bytes are allowed, as ASCII JSON")
        return None
    return value
