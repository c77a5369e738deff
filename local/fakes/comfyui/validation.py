"""Validate a prompt as ComfyUI does, with its recorded errors."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.fakes.comfyui.catalogue import CLASSES, FILE_LOADERS, Catalogue, is_output
from local.fakes.comfyui.errors import Refused, error, type_name
from local.fakes.comfyui.folders import Folders

LISTED_CHOICES: Final = 20  # longer lists are not repeated in errors

Errors = list[dict[str, Any]]


@dataclass
class Outcome:
    """The output nodes that can run, and the errors of the other nodes."""

    outputs: list[str]
    node_errors: dict[str, Any] = field(default_factory=dict)


class Cycle(Exception):
    """A node needs its own output."""


class Validator:
    """Validates one prompt, and converts its inputs in place, as ComfyUI does."""

    def __init__(self, prompt: dict[str, Any], catalogue: Catalogue, folders: Folders, *, old: bool) -> None:
        self._prompt = prompt
        self._catalogue = catalogue
        self._folders = folders
        self._old = old
        self._validated: dict[str, tuple[bool, Errors]] = {}
        self._path: list[str] = []

    def validate(self, targets: list[str] | None) -> Outcome:
        """Return what can run; raise Refused if nothing can."""
        outputs = []
        for name, node in self._prompt.items():
            self._check_class(name, node)
            if is_output(node["class_type"]) and (targets is None or name in targets):
                outputs.append(name)
        if not outputs:
            raise Refused(error("prompt_no_outputs", "Prompt has no outputs"))
        good: list[str] = []
        node_errors: dict[str, Any] = {}
        details: list[str] = []
        for name in outputs:
            valid, reasons = self._output(name)
            if valid:
                good.append(name)
                continue
            details += [f"{one['message']}: {one['details']}" for one in reasons]
            self._collect(name, node_errors)
        if not good:
            message = "Prompt outputs failed validation"
            refusal = error("prompt_outputs_failed_validation", message, "\n".join(details))
            raise Refused(refusal, node_errors)
        return Outcome(good, node_errors)

    def _check_class(self, name: str, node: dict[str, Any]) -> None:
        kind = node.get("class_type") if "class_type" in node else None
        if "class_type" in node and kind in CLASSES:
            return
        details = f"Node ID '#{name}'"
        if self._old:
            message = (
                f"Cannot execute because node {kind} does not exist."
                if "class_type" in node
                else "Cannot execute because a node is missing the class_type property."
            )
            raise Refused(error("invalid_prompt", message, details))
        title = (node.get("_meta") or {}).get("title") or kind or name
        message = f"Node '{title}' not found. The custom node may not be installed."
        if "class_type" not in node:
            hint = "The workflow may be corrupted or a custom node is missing."
            message = f"Node '{title}' has no class_type. {hint}"
        facts = {"node_id": name, "class_type": kind, "node_title": title}
        raise Refused(error("missing_node_type", message, details, **facts))

    def _output(self, name: str) -> tuple[bool, Errors]:
        try:
            return self._node(name)
        except Cycle:
            return False, []
        except Exception as failure:  # noqa: BLE001 -- ComfyUI catches all too
            reason = _exception("exception_during_validation", "Exception when validating node", failure)
            reason["extra_info"].pop("exception_message")
            reasons = [reason]
            self._validated[name] = False, reasons
            return False, reasons

    def _collect(self, output: str, node_errors: dict[str, Any]) -> None:
        for name, (valid, reasons) in self._validated.items():
            if valid or not reasons:
                continue
            entry = node_errors.setdefault(
                name,
                {
                    "errors": reasons,
                    "dependent_outputs": [],
                    "class_type": self._prompt[name]["class_type"],
                },
            )
            entry["dependent_outputs"].append(output)

    def _node(self, name: str) -> tuple[bool, Errors]:
        if name in self._validated:
            return self._validated[name]
        if name in self._path:
            self._cycle(name)
        self._path.append(name)
        try:
            node = self._prompt[name]
            inputs = node["inputs"]
            errors: Errors = []
            valid = True
            for one, config in self._catalogue.inputs(node["class_type"]).items():
                valid = self._input(node["class_type"], inputs, one, config, errors) and valid
            if reads := FILE_LOADERS.get(node["class_type"]):
                errors += self._file(inputs, reads)
        finally:
            self._path.pop()
        if name not in self._validated:
            self._validated[name] = valid and not errors, errors
        return self._validated[name]

    def _cycle(self, name: str) -> None:
        if self._old:
            raise Cycle
        members = self._path[self._path.index(name) :]
        shown = " -> ".join(f"{one} ({self._prompt[one]['class_type']})" for one in [*members, name])
        for one in members:
            facts = {"node_id": one, "cycle_nodes": members}
            reasons = [error("dependency_cycle", "Dependency cycle detected", shown, **facts)]
            self._validated[one] = False, reasons
        raise Cycle

    def _input(
        self,
        kind: str,
        inputs: dict[str, Any],
        name: str,
        config: tuple[str, Any, dict[str, Any]],
        errors: Errors,
    ) -> bool:
        category, expected, options = config
        if name not in inputs:
            if category == "required":
                errors.append(
                    error("required_input_missing", "Required input is missing", name, input_name=name)
                )
            return category != "required"
        facts = {"input_name": name, "input_config": [expected, options]}
        if isinstance(inputs[name], list):
            return self._link(inputs[name], expected, facts, errors)
        checked = FILE_LOADERS.get(kind) != name
        return _value(inputs, expected, options, facts, errors, checked=checked)

    def _link(self, link: list[Any], expected: Any, facts: dict[str, Any], errors: Errors) -> bool:
        name = facts["input_name"]
        if len(link) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            errors.append(error("bad_linked_input", message, name, **facts, received_value=link))
            return False
        source, slot = link
        received = tuple(self._catalogue.outputs(self._prompt[source]["class_type"]))[slot]
        if received != expected and "*" not in (received, expected):
            details = f"{name}, received_type({received}) mismatch input_type({expected})"
            message = "Return type mismatch between linked nodes"
            mismatch = {**facts, "received_type": received, "linked_node": link}
            errors.append(error("return_type_mismatch", message, details, **mismatch))
            return False
        try:
            return self._node(source)[0]
        except Cycle:
            if self._old:
                raise
            return False
        except Exception as failure:  # noqa: BLE001 -- ComfyUI catches all too
            message = "Exception when validating inner node"
            reason = _exception(
                "exception_during_inner_validation", message, failure, **facts, linked_node=link
            )
            self._validated[source] = False, [reason]
            return False

    def _file(self, inputs: dict[str, Any], reads: str) -> Errors:
        name = inputs.get(reads)
        if isinstance(name, list):
            return []
        if not isinstance(name, str):
            raise AttributeError(f"{type(name).__name__!r} object has no attribute 'endswith'")  # noqa: TRY004 -- as recorded
        path, _ = self._folders.annotated(name)
        if Path(path).exists():
            return []
        kind = "video" if reads == "file" else reads
        details = f"{reads} - Invalid {kind} file: {name}"
        message = "Custom validation failed for node"
        return [error("custom_validation_failed", message, details, input_name=reads)]


def _value(
    inputs: dict[str, Any],
    expected: Any,
    options: dict[str, Any],
    facts: dict[str, Any],
    errors: Errors,
    *,
    checked: bool,
) -> bool:
    """Convert a constant, and check its range or its choices."""
    name = facts["input_name"]
    value = inputs[name]
    try:
        if isinstance(value, dict) and "__value__" in value:
            value = inputs[name] = value["__value__"]
        convert = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}.get(str(expected))
        if convert is not None and not isinstance(expected, list):
            value = inputs[name] = convert(value)
    except (ValueError, TypeError, OverflowError) as failure:
        message = f"Failed to convert an input value to a {expected} value"
        details = f"{name}, {value}, {failure}"
        more = {**facts, "received_value": value, "exception_message": str(failure)}
        errors.append(error("invalid_input_type", message, details, **more))
        return False
    if not checked:
        return True
    received = {**facts, "received_value": value}
    if "min" in options and value < options["min"]:
        message = f"Value {value} smaller than min of {options['min']}"
        errors.append(error("value_smaller_than_min", message, name, **received))
    elif "max" in options and value > options["max"]:
        message = f"Value {value} bigger than max of {options['max']}"
        errors.append(error("value_bigger_than_max", message, name, **received))
    elif isinstance(expected, list) and value not in expected:
        long = len(expected) > LISTED_CHOICES
        shown = f"(list of length {len(expected)})" if long else str(expected)
        details = f"{name}: {value!r} not in {shown}"
        if long:
            received["input_config"] = None
        errors.append(error("value_not_in_list", "Value not in list", details, **received))
    else:
        return True
    return False


def _exception(kind: str, message: str, failure: Exception, **facts: Any) -> dict[str, Any]:
    linked = facts.pop("linked_node", None)
    more = {
        **facts,
        "exception_message": str(failure),
        "exception_type": type_name(failure),
        "traceback": ['  File "/opt/comfyui/execution.py", line 943, in validate_inputs\n'],
    }
    if linked is not None:
        more["linked_node"] = linked
    return error(kind, message, str(failure), **more)
