"""The envelope of `POST /v1alpha1`: an SD Web UI body with the routing keys in `alwayson_scripts`."""

from dataclasses import replace
from typing import Any, Final

from domain.envelope import Submission, clean_prefix, group_faults, id_faults, task_type_faults
from domain.errors import ErrorCode, Fault, InvalidTask, raise_if_any
from domain.limits import DEFAULT_LIMITS, Limits
from domain.output import check_output
from domain.routing import Runtime, Runtimes
from domain.task import Task
from domain.webhook import DEFAULT_RULES, WebhookRules
from functions.api.webhook_field import check_webhook
from runtimes.registry import type_of
from runtimes.sdwebui.checkpoints import serves
from runtimes.sdwebui.policy import SUBMIT_ONLY_KEYS
from runtimes.sdwebui.task_type import TaskType

API_VERSION: Final = "v1alpha1"
DEFAULT_PREFIX: Final = "output"
_SCRIPTS_PATH: Final = "/alwayson_scripts"
_IMAGE_LINK: Final = f"{_SCRIPTS_PATH}/image_link"


def decode(
    body: dict[str, Any],
    runtimes: Runtimes,
    limits: Limits = DEFAULT_LIMITS,
    webhooks: WebhookRules = DEFAULT_RULES,
) -> Submission:
    """Return the task in `body`; raise InvalidTask with every fault of the request."""
    scripts = body.get("alwayson_scripts")
    if not isinstance(scripts, dict):
        hint = "an object with task, id_task and sd_model_checkpoint is expected"
        if "task" in body:
            hint += "; this looks like a v1alpha2 request: POST it to /v1alpha2"
        raise InvalidTask("The task has one fault.", faults=[Fault(_SCRIPTS_PATH, hint)])

    faults = id_faults(scripts.get("id_task"), f"{_SCRIPTS_PATH}/id_task")
    save_dir = scripts.get("save_dir", DEFAULT_PREFIX)
    prefix = clean_prefix(save_dir, scripts.get("id_task"), f"{_SCRIPTS_PATH}/save_dir")
    runtime, runtime_faults = _runtime(scripts.get("sd_model_checkpoint"), runtimes)
    runtime_type = type_of(runtime, runtimes)
    tasktype = scripts.get("task")
    task_type_errors = task_type_faults(tasktype, runtime_type.task_types, f"{_SCRIPTS_PATH}/task")
    uid = scripts.get("uid")
    webhook, webhook_faults = check_webhook(scripts.get("webhook"), f"{_SCRIPTS_PATH}/webhook", webhooks)
    output, output_faults = check_output(scripts.get("output"), f"{_SCRIPTS_PATH}/output")
    faults += [*task_type_errors, *prefix.faults, *runtime_faults, *output_faults, *webhook_faults]
    faults += group_faults(scripts.get("group"), f"{_SCRIPTS_PATH}/group")
    if uid is not None and not isinstance(uid, str | int):
        faults.append(Fault(f"{_SCRIPTS_PATH}/uid", "a string is expected"))

    content = dict(body)
    content["alwayson_scripts"] = {k: v for k, v in scripts.items() if k not in SUBMIT_ONLY_KEYS}
    image_link = _ImageLink(content, scripts.get("image_link"), tasktype)
    checked = runtime_type.validate(None if task_type_errors else tasktype, content, runtime, limits)
    raise_if_any([*faults, *image_link.faults, *map(image_link.with_caller_path, checked.faults)])
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
        group=scripts.get("group"),
        output=output,
        webhook=webhook,
    )
    return Submission(task, runtime, [*prefix.warnings, *image_link.warnings, *checked.warnings])


def response_fields(model: str | None) -> dict[str, Any]:
    """Return the fields that only this version's response to a submit has."""
    return {"sd_model_checkpoint": model}


def _runtime(name: Any, runtimes: Runtimes) -> tuple[Runtime | None, list[Fault]]:
    """Return the first static runtime with the model, otherwise the first dynamic one, or a fault."""
    path = f"{_SCRIPTS_PATH}/sd_model_checkpoint"
    if not isinstance(name, str) or not name:
        return None, [Fault(path, "the name of a checkpoint is expected; it selects the runtime")]
    static = (runtime for runtime in runtimes if not runtime.dynamic_model and serves(runtime, name))
    dynamic = (runtime for runtime in runtimes if runtime.dynamic_model)
    for runtime in (*static, *dynamic):
        return runtime, []
    served = ", ".join(runtime.model_filename for runtime in runtimes if runtime.model_filename) or "none"
    text = f"no runtime serves this model; the served models are: {served}"
    return None, [Fault(path, text, ErrorCode.UNKNOWN_MODEL)]


class _ImageLink:
    """Moves `image_link` to the field that SD Web UI reads: `init_images`, or `image` of an extras task."""

    def __init__(self, content: dict[str, Any], link: Any, tasktype: Any) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._moved_to = ""
        if link is None:
            return
        if not isinstance(link, str) or not link:
            self.faults.append(Fault(_IMAGE_LINK, "a link is expected"))
        elif tasktype == TaskType.IMAGE_TO_IMAGE:
            if content.get("init_images"):
                self.warnings.append(Fault("/init_images", f"ignored: {_IMAGE_LINK} is used instead"))
            content["init_images"] = [link]
            self._moved_to = "/init_images/0"
        elif tasktype == TaskType.EXTRA_SINGLE_IMAGE and not content.get("image"):
            content["image"] = link
            self._moved_to = "/image"
        else:
            self.warnings.append(
                Fault(_IMAGE_LINK, "ignored: the content has its own images, or the task type uses none")
            )

    def with_caller_path(self, fault: Fault) -> Fault:
        """Return a fault of the content with the name that callers of this version know."""
        if self._moved_to and fault.path == self._moved_to:
            return replace(fault, path=_IMAGE_LINK)
        if fault.path == "/init_images":
            return replace(fault, message=f"{fault.message}, here or as {_IMAGE_LINK}")
        return fault
