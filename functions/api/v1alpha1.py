"""The envelope of `POST /v1alpha1`: an SD Web UI body with the routing keys in `alwayson_scripts`."""

from typing import Any, Final

from domain.envelope import Submission, check_id, check_task_type, clean_prefix
from domain.errors import Fault, InvalidTask, refuse
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime, Runtimes
from domain.task import Task
from runtimes.registry import type_of
from runtimes.sdwebui.policy import SUBMIT_ONLY_KEYS
from runtimes.sdwebui.task_type import TaskType

API_VERSION: Final = "v1alpha1"
DEFAULT_PREFIX: Final = "output"
_WHERE: Final = "/alwayson_scripts"


def decode(body: dict[str, Any], runtimes: Runtimes, limits: Limits = DEFAULT_LIMITS) -> Submission:
    """Return the task in `body`; raise InvalidTask with every fault of the request."""
    scripts = body.get("alwayson_scripts")
    if not isinstance(scripts, dict):
        hint = "an object with task, id_task and sd_model_checkpoint is expected"
        if "task" in body:
            hint += "; this looks like a v1alpha2 request: POST it to /v1alpha2"
        raise InvalidTask("The task has one fault.", faults=[Fault(_WHERE, hint)])

    faults = check_id(scripts.get("id_task"), f"{_WHERE}/id_task")
    save_dir = scripts.get("save_dir", DEFAULT_PREFIX)
    prefix = clean_prefix(save_dir, scripts.get("id_task"), f"{_WHERE}/save_dir")
    runtime, unserved = _runtime(scripts.get("sd_model_checkpoint"), runtimes)
    kind = type_of(runtime, runtimes)
    tasktype = scripts.get("task")
    wrong = check_task_type(tasktype, kind.task_types, f"{_WHERE}/task")
    uid = scripts.get("uid")
    faults += [*wrong, *prefix.faults, *unserved]
    if uid is not None and not isinstance(uid, str | int):
        faults.append(Fault(f"{_WHERE}/uid", "a string is expected"))

    content = dict(body)
    content["alwayson_scripts"] = {k: v for k, v in scripts.items() if k not in SUBMIT_ONLY_KEYS}
    faults += _image_link(content, scripts.get("image_link"), tasktype)
    checked = kind.validate(None if wrong else tasktype, content, runtime, limits)
    refuse(faults + [_renamed(fault) for fault in checked.faults])
    if runtime is None:  # refused above
        raise AssertionError
    task = Task(
        id=scripts["id_task"],
        runtime=runtime.name,
        tasktype=scripts["task"],
        prefix=prefix.text,
        context=None,
        content=checked.content,
        api_version=API_VERSION,
        uid=None if uid is None else str(uid),
    )
    return Submission(task, runtime, [*prefix.warnings, *checked.warnings])


def _runtime(name: Any, runtimes: Runtimes) -> tuple[Runtime | None, list[Fault]]:
    path = f"{_WHERE}/sd_model_checkpoint"
    if not isinstance(name, str) or not name:
        return None, [Fault(path, "the name of a checkpoint is expected; it chooses the runtime")]
    try:
        return runtimes.for_checkpoint(name, path=path), []
    except InvalidTask as unknown:
        return None, list(unknown.faults)


def _image_link(content: dict[str, Any], link: Any, tasktype: Any) -> list[Fault]:
    """Move `image_link` to the field that SD Web UI reads: `init_images`, or `image` of an extras task."""
    if link is None:
        return []
    if not isinstance(link, str) or not link:
        return [Fault(f"{_WHERE}/image_link", "a link is expected")]
    if tasktype == TaskType.EXTRA_SINGLE_IMAGE:
        content.setdefault("image", link)
    elif tasktype == TaskType.IMAGE_TO_IMAGE:
        content["init_images"] = [link]
    return []


def _renamed(fault: Fault) -> Fault:
    """Mention `image_link` in faults of `init_images`, because callers of this version know that name."""
    if fault.path != "/init_images":
        return fault
    return Fault(fault.path, f"{fault.message}, here or as {_WHERE}/image_link", fault.code)
