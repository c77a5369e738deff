"""Read `config.yaml` into settings; every mistake is reported in one line with the path of its key."""

import json
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infra.runtime_types.registry import RUNTIME_TYPES, RuntimeTypes
from infra.settings.deployment import Settings, settings_of

Loc = tuple[str | int, ...]

# Keys in the file of AWS's Guidance (sd-on-eks 1.1) that have no meaning here: they configure EKS, Karpenter,
# Helm or KEDA.
_IGNORED_AT_THE_TOP: Final = ("clusterComponents", "isChinaRegion", "region")
_IGNORED_IN_A_RUNTIME: Final = ("namespace", "chartRepository", "chartVersion")

# Settings that are nested in the Guidance's file and are keys of a runtime here.
_FLAT_KEYS: Final[dict[Loc, Loc]] = {
    ("extraValues", "runtime", "scaling"): ("scaling",),
    ("extraValues", "karpenter", "provisioner", "instanceType"): ("instanceTypes",),
    ("extraValues", "karpenter", "provisioner", "capacityType"): ("capacity",),
}
_SHOWN_CHARACTERS: Final = 60
# How pydantic names the branches of a weight (`true` or a number) in the path of an error.
_UNION_BRANCHES: Final = frozenset({"bool", "int", "constrained-int"})

# Our own texts for kinds of pydantic errors; the others keep pydantic's text.
_ALLOWED: Final = {
    "extra_forbidden": "no such key",
    "missing": "this key is required",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "value_error": "{error}",
    "model_type": "a mapping",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
}


class InvalidConfigError(Exception):
    """A settings file is invalid; `faults` contains one line for each mistake."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: Path, types: RuntimeTypes = RUNTIME_TYPES) -> tuple[Settings, list[str]]:
    """Read a settings file; also return one line for each key that is ignored."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfigError([f"{path}: cannot be read: {error}"]) from error
    try:
        return parse(text, types)
    except InvalidConfigError as error:
        raise InvalidConfigError([f"{path.name}: {fault}" for fault in error.faults]) from error


def parse(text: str, types: RuntimeTypes = RUNTIME_TYPES) -> tuple[Settings, list[str]]:
    """Parse the text of a settings file into settings and notices."""
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader that refuses a key given twice
    except yaml.YAMLError as error:
        raise InvalidConfigError([f"not YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(raw, dict):
        raise InvalidConfigError([f"(top): found {_show(raw)}; allowed: a mapping with modelsRuntime"])
    tree, notices, written_as = _flatten_sd_on_eks(raw)
    try:
        return settings_of(types).model_validate_json(json.dumps(tree, default=str)), notices
    except ValidationError as error:
        raise InvalidConfigError(_faults(error.errors(), written_as)) from error


class _UniqueKeys(yaml.SafeLoader):
    """Refuses duplicate keys in a mapping, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _flatten_sd_on_eks(raw: dict[Any, Any]) -> tuple[dict[Any, Any], list[str], dict[Loc, Loc]]:
    """Move the nested keys of AWS's Guidance to the flat ones; return the tree, notices and original keys."""
    tree = dict(raw)
    notices = [_ignored((key,)) for key in _IGNORED_AT_THE_TOP if tree.pop(key, None) is not None]
    written_as: dict[Loc, Loc] = {}
    runtimes = tree.get("modelsRuntime")
    if not isinstance(runtimes, list):
        return tree, notices, written_as
    tree["modelsRuntime"] = moved = []
    for index, entry in enumerate(runtimes):
        at: Loc = ("modelsRuntime", index)
        if not isinstance(entry, dict):
            moved.append(entry)
            continue
        runtime = dict(entry)
        notices += [
            _ignored((*at, key)) for key in _IGNORED_IN_A_RUNTIME if runtime.pop(key, None) is not None
        ]
        for loc, value in _leaves(runtime.pop("extraValues", None), ("extraValues",)):
            target = _FLAT_KEYS.get(loc)
            if target is None:
                notices.append(_ignored((*at, *loc)))
            elif target[0] in runtime:
                fault = f"{_path((*at, *loc))}: found beside {target[0]}; allowed: one of the two"
                raise InvalidConfigError([fault])
            else:
                runtime[target[0]] = value
                written_as[(*at, *target)] = (*at, *loc)
        moved.append(runtime)
    return tree, notices, written_as


def _leaves(value: Any, loc: Loc) -> list[tuple[Loc, Any]]:
    if loc in _FLAT_KEYS or not isinstance(value, dict):
        return [] if value is None else [(loc, value)]
    leads_to_known = any(known[: len(loc)] == loc for known in _FLAT_KEYS)
    if not leads_to_known:
        return [(loc, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*loc, str(key)))]


def _ignored(loc: Loc) -> str:
    return f"{_path(loc)}: ignored, because it has no meaning on ECS"


def _faults(details: list[ErrorDetails], written_as: dict[Loc, Loc]) -> list[str]:
    """Return one line per key: pydantic's first error, without errors of a list whose items have errors."""
    lines: dict[Loc, str] = {}
    for detail in details:
        loc, found = _key_and_value(detail)
        for here, there in written_as.items():
            if loc[: len(here)] == here:
                loc = there + loc[len(here) :]
        inner = any(known[: len(loc)] == loc for known in lines)
        if not inner:
            lines[loc] = f"{_path(loc)}: found {found}; allowed: {_allowed(detail)}"
    return list(lines.values())


def _key_and_value(detail: ErrorDetails) -> tuple[Loc, str]:
    """Return the path of a key as written in the file, and the value found there."""
    loc = detail["loc"]
    if detail["type"] == "union_tag_invalid":
        return (*loc, "type"), _show(detail["input"]["type"])
    if loc[:1] == ("modelsRuntime",):
        loc = loc[:2] + loc[3:]  # pydantic puts the runtime's type after its number
    loc = tuple(part for part in loc if part not in _UNION_BRANCHES)
    return loc, "nothing" if detail["type"] == "missing" else _show(detail["input"])


def _allowed(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if _UNION_BRANCHES.intersection(detail["loc"]):
        return "true, false or a weight from 0 to 1000"
    template = _ALLOWED.get(detail["type"])
    if template:
        return template.format(**context)
    message = detail["msg"].removeprefix("Input should be ")
    return message[0].lower() + message[1:]


def _path(loc: Loc) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".") or "(top)"


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
