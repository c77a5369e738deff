"""The envelope of `POST /v1alpha2`: `{"task": {"metadata": {…}, "content": {…}}}`."""

from typing import Any, Final

from domain.envelope import (
    Prefix,
    Submission,
    clean_prefix,
    context_faults,
    group_faults,
    id_faults,
    ignored_key_warnings,
    start_within_faults,
    task_type_faults,
)
from domain.errors import ErrorCode, Fault, raise_if_any
from domain.limits import DEFAULT_LIMITS, Limits
from domain.output import OutputOptions, check_output
from domain.routing import Runtime, Runtimes
from domain.task import Task
from domain.webhook import DEFAULT_RULES, Webhook, WebhookRules
from functions.api.webhook_field import check_webhook
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes, type_of

API_VERSION: Final = "v1alpha2"
_METADATA: Final = (
    *("id", "runtime", "tasktype", "prefix", "context"),
    *("group", "output", "start_within_seconds", "webhook"),
)
_CONTENT: Final = "/task/content"
_SHAPE: Final = '{"task": {"metadata": {...}, "content": {...}}} is expected'


def decode(
    body: dict[str, Any],
    runtimes: Runtimes,
    limits: Limits = DEFAULT_LIMITS,
    types: RuntimeTypes = RUNTIME_TYPES,
    webhooks: WebhookRules = DEFAULT_RULES,
) -> Submission:
    """Return the task in `body`; raise InvalidTask with every fault of the request."""
    task, faults = _object(body, "task", "")
    metadata, metadata_faults = _object(task, "metadata", "/task")
    content, content_faults = _object(task, "content", "/task")
    if isinstance(body.get("task"), dict):
        faults += metadata_faults + content_faults
    raise_if_any([] if metadata or content else faults)

    where = "/task/metadata"
    ignored = [
        *ignored_key_warnings(body, ["task"], ""),
        *ignored_key_warnings(task, ["metadata", "content"], "/task"),
        *ignored_key_warnings(metadata, _METADATA, where),
    ]
    faults += id_faults(metadata.get("id"), f"{where}/id")
    runtime, runtime_faults = _runtime(metadata.get("runtime"), runtimes, f"{where}/runtime")
    runtime_type = type_of(runtime, runtimes, types)
    tasktype = metadata.get("tasktype")
    task_type_errors = task_type_faults(tasktype, runtime_type.task_types, f"{where}/tasktype")
    prefix = clean_prefix(metadata.get("prefix"), metadata.get("id"), f"{where}/prefix")
    context = metadata.get("context")
    webhook, webhook_faults = check_webhook(metadata.get("webhook"), f"{where}/webhook", webhooks)
    output, output_faults = check_output(metadata.get("output"), f"{where}/output")
    faults += [
        *webhook_faults,
        *output_faults,
        *group_faults(metadata.get("group"), f"{where}/group"),
        *runtime_faults,
        *task_type_errors,
        *prefix.faults,
        *context_faults(context, f"{where}/context"),
        *start_within_faults(metadata.get("start_within_seconds"), f"{where}/start_within_seconds"),
    ]

    checked = runtime_type.validate(
        None if task_type_errors else tasktype, content, runtime, limits, path=_CONTENT
    )
    raise_if_any([*faults, *checked.faults])
    if runtime is None:  # refused above
        raise AssertionError
    accepted = _task(metadata, runtime, prefix, checked.content, output=output, webhook=webhook)
    warnings = [*ignored, *prefix.warnings, *checked.warnings]
    return Submission(accepted, runtime, warnings, content_path=_CONTENT)


def _task(
    metadata: dict[str, Any],
    runtime: Runtime,
    prefix: Prefix,
    content: dict[str, Any],
    *,
    output: OutputOptions | None,
    webhook: Webhook | None,
) -> Task:
    return Task(
        id=metadata["id"],
        runtime=runtime.name,
        tasktype=metadata["tasktype"],
        prefix=prefix.text,
        context=metadata.get("context"),
        content=content,
        api_version=API_VERSION,
        start_within_seconds=metadata.get("start_within_seconds"),
        group=metadata.get("group"),
        output=output,
        webhook=webhook,
    )


def _object(parent: dict[str, Any], key: str, path: str) -> tuple[dict[str, Any], list[Fault]]:
    value = parent.get(key)
    if isinstance(value, dict):
        return value, []
    return {}, [Fault(f"{path}/{key}", f"an object is expected; the body's shape: {_SHAPE}")]


def _runtime(value: Any, runtimes: Runtimes, path: str) -> tuple[Runtime | None, list[Fault]]:
    runtime = runtimes.named(value) if isinstance(value, str) else None
    if runtime is not None:
        return runtime, []
    message = f"unknown runtime; the runtimes are {', '.join(runtimes.names)}"
    return None, [Fault(path, message, ErrorCode.UNKNOWN_RUNTIME)]
