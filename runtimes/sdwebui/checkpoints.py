"""Check the checkpoints that a task names against its runtime."""

import re
from pathlib import PurePosixPath
from typing import Any, Final

from domain.errors import ErrorCode
from domain.routing import Runtime
from runtimes.findings import Findings
from runtimes.sdwebui.named_models import checkpoint_mentions
from runtimes.sdwebui.overrides import CHECKPOINT_SETTING, with_forward_slashes
from runtimes.sdwebui.placeholders import PLACEHOLDER
from runtimes.sdwebui.task_type import TaskType

_HASH: Final = re.compile(r" \[(?:[0-9a-f]{8}|[0-9a-f]{10})\]$")
"""The hash that SD Web UI appends to a checkpoint's name; the consumer compares it with the file."""

_SECOND_CHECKPOINT_FIELDS: Final = ("refiner_checkpoint", "hr_checkpoint_name")
_CHECKPOINT_PATH: Final = "/alwayson_scripts/sd_model_checkpoint"


def serves(runtime: Runtime, checkpoint: str) -> bool:
    """Return whether `checkpoint` names the runtime's own model, with or without extension and hash."""
    return _is_name_of(checkpoint, runtime.model_filename)


def may_switch_to(runtime: Runtime, checkpoint: str) -> bool:
    """Return whether a task of a static runtime may switch to `checkpoint` while it runs."""
    return serves(runtime, checkpoint) or _is_name_of(checkpoint, runtime.refiner_filename)


def normalize_checkpoint(
    content: dict[str, Any], tasktype: TaskType | None, runtime: Runtime | None, findings: Findings
) -> None:
    """Move the checkpoint to the key that routing reads, and check all checkpoints against the runtime.

    The content is changed in place. A static runtime serves its own checkpoint only.
    """
    named = _move_override(content, findings)
    _normalize_second_checkpoints(content)
    if runtime is None or tasktype is None or not tasktype.generates:
        return
    if content.get("alwayson_scripts") is None:
        content["alwayson_scripts"] = {}
    scripts: Any = content["alwayson_scripts"]
    if not isinstance(scripts, dict):
        return
    path = _CHECKPOINT_PATH
    if scripts.get(CHECKPOINT_SETTING) is None and named is not None:
        scripts[CHECKPOINT_SETTING] = named
        path = f"/override_settings/{CHECKPOINT_SETTING}"
    name = scripts.get(CHECKPOINT_SETTING)
    if isinstance(name, str):
        scripts[CHECKPOINT_SETTING] = with_forward_slashes(name)
    if runtime.dynamic_model:
        if name is None:
            _use_default(scripts, runtime, path, findings)
    else:
        _refuse_other_checkpoints(content, scripts.get(CHECKPOINT_SETTING), path, runtime, findings)


def _normalize_second_checkpoints(content: dict[str, Any]) -> None:
    for field in _SECOND_CHECKPOINT_FIELDS:
        if isinstance(content.get(field), str):
            content[field] = with_forward_slashes(content[field])


def _use_default(scripts: dict[str, Any], runtime: Runtime, path: str, findings: Findings) -> None:
    if runtime.model_filename:
        scripts[CHECKPOINT_SETTING] = runtime.model_filename
    else:
        findings.fault(path, f"runtime {runtime.name} needs the name of a checkpoint here")


def _refuse_other_checkpoints(
    content: dict[str, Any], name: Any, path: str, runtime: Runtime, findings: Findings
) -> None:
    """Refuse all checkpoints but the runtime's own, including those that a script loads during a task."""
    refiner = f" (and {runtime.refiner_filename} as refiner)" if runtime.refiner_filename else ""
    message = f"runtime {runtime.name} serves {runtime.model_filename}{refiner} and no other checkpoint"
    if isinstance(name, str) and not serves(runtime, name):
        findings.fault(path, message, ErrorCode.UNKNOWN_MODEL)
    for mention in checkpoint_mentions(content):
        if (
            mention.path != _CHECKPOINT_PATH
            and mention.name != PLACEHOLDER
            and not may_switch_to(runtime, mention.name)
        ):
            findings.fault(mention.path, message, ErrorCode.UNKNOWN_MODEL)


def _move_override(content: dict[str, Any], findings: Findings) -> str | None:
    """Remove `sd_model_checkpoint` from the overrides: only the routing key selects the checkpoint.

    For an unknown name there, a real Web UI responds 200 with the wrong model (42-override-checkpoint-*).
    """
    taken: str | None = None
    scripts = content.get("alwayson_scripts")
    holders = [("", content)]
    if isinstance(scripts, dict):
        holders.append(("/alwayson_scripts", scripts))
    for path, holder in holders:
        settings = holder.get("override_settings")
        if not isinstance(settings, dict) or CHECKPOINT_SETTING not in settings:
            continue
        name = settings[CHECKPOINT_SETTING]
        holder["override_settings"] = {k: v for k, v in settings.items() if k != CHECKPOINT_SETTING}
        here = f"{path}/override_settings/{CHECKPOINT_SETTING}"
        if not isinstance(name, str) or not name:
            findings.fault(here, "a name is expected")
        elif isinstance(scripts, dict) and scripts.get(CHECKPOINT_SETTING) is not None:
            findings.warn(here, "ignored: alwayson_scripts.sd_model_checkpoint names the checkpoint")
        else:
            findings.warn(here, "taken as alwayson_scripts.sd_model_checkpoint")
            taken = name
    return taken


def _is_name_of(checkpoint: str, own: str | None) -> bool:
    bare = _HASH.sub("", checkpoint)
    return bool(own) and bare in (own, str(PurePosixPath(str(own)).with_suffix("")))
