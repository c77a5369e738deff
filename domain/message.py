"""The message that travels from the tasks topic to a runtime's queue."""

import re
from dataclasses import dataclass, replace
from typing import Any

from domain.body import check_values, load_json
from domain.canonical import compact_json
from domain.clock import iso, iso_after, parse
from domain.envelope import clean_prefix, context_faults, group_faults, id_faults, start_within_faults
from domain.errors import BadMessage, InvalidTask, shortened
from domain.limits import MAX_ERROR_LENGTH, MAX_MESSAGE_BYTES
from domain.output import check_output
from domain.task import Task

_TASK_TYPE = re.compile(r"[a-z0-9-]{1,64}")
"""Only the format: the runtime type decides which task types exist."""


@dataclass(frozen=True, slots=True)
class Message:
    """One submission of a task; with `content_ref` set, the content is empty here and stored in S3."""

    task: Task
    submission_id: str
    submitted_at: str
    content_ref: str | None = None
    group: str | None = None
    """The task's own group, or the one that the API gave it (the id of the API key)."""
    trace: str | None = None
    """X-Ray's trace header: raw message delivery does not guarantee to keep the attribute."""

    def encode(self) -> str:
        """Encode the message as compact ASCII JSON."""
        metadata: dict[str, Any] = {
            "id": self.task.id,
            "runtime": self.task.runtime,
            "tasktype": str(self.task.tasktype),
            "prefix": self.task.prefix,
            "context": self.task.context,
            "submission_id": self.submission_id,
            "submitted_at": self.submitted_at,
            "api_version": self.task.api_version,
        }
        if self.task.uid is not None:
            metadata["uid"] = self.task.uid
        if self.task.start_within_seconds is not None:
            metadata["start_within_seconds"] = self.task.start_within_seconds
        if self.group is not None:
            metadata["group"] = self.group
        if self.task.output is not None:
            metadata["output"] = self.task.output.as_dict()
        if self.trace is not None:
            metadata["trace"] = self.trace
        body: dict[str, Any] = {"metadata": metadata}
        if self.content_ref is None:
            body["content"] = self.task.content
        else:
            body["content_ref"] = self.content_ref
        return compact_json(body)

    @property
    def start_by(self) -> str | None:
        """Return the time by which a GPU must have taken the task, None if it may wait."""
        seconds = self.task.start_within_seconds
        return None if seconds is None else iso_after(parse(self.submitted_at), seconds)

    def with_content(self, content: dict[str, Any]) -> "Message":
        """Return the message with its content in place of the reference."""
        return replace(self, task=replace(self.task, content=content), content_ref=None)

    @classmethod
    def decode(cls, raw: str) -> "Message":
        """Decode a message; raise BadMessage with `raw` attached if it is not a valid one.

        Unknown metadata is ignored, because a newer publisher may add some.
        """
        try:
            message = cls._decode(raw)
            if len(message.encode()) > MAX_MESSAGE_BYTES:  # the row stores it as ASCII, to publish it again
                raise ValueError(f"as ASCII JSON it has more than {MAX_MESSAGE_BYTES} bytes")  # noqa: TRY301
        except (ValueError, OverflowError, RecursionError, InvalidTask) as error:
            reason = shortened(f"{type(error).__name__}: {error}", MAX_ERROR_LENGTH)
            raise BadMessage(f"not a task message: {reason}", raw=raw) from None
        return message

    @classmethod
    def _decode(cls, raw: str) -> "Message":
        body = load_json(raw)
        metadata = body.get("metadata") if isinstance(body, dict) else None
        if not isinstance(metadata, dict):
            raise ValueError("no metadata")  # noqa: TRY004 - this function raises ValueError only
        check_values(body)
        content, content_ref = body.get("content"), body.get("content_ref")
        prefix = clean_prefix(metadata.get("prefix"), metadata.get("id"), "/prefix")
        context = metadata.get("context")
        start_within = metadata.get("start_within_seconds")
        output, output_faults = check_output(metadata.get("output"), "/output")
        faults = [
            *id_faults(metadata.get("id"), "/id"),
            *prefix.faults,
            *context_faults(context, "/context"),
            *start_within_faults(start_within, "/start_within_seconds"),
            *output_faults,
            *group_faults(metadata.get("group"), "/group"),
        ]
        if faults:
            raise ValueError(f"{faults[0].path}: {faults[0].message}")
        if not isinstance(content, dict) and not (content is None and _is_text(content_ref)):
            raise ValueError("neither content nor content_ref")
        for name in ("runtime", "tasktype", "submission_id", "submitted_at"):
            if not _is_text(metadata.get(name)):
                raise ValueError(f"no {name}")
        if not _TASK_TYPE.fullmatch(metadata["tasktype"]):
            raise ValueError("tasktype: not a valid name")
        task = Task(
            id=metadata["id"],
            runtime=metadata["runtime"],
            tasktype=metadata["tasktype"],
            prefix=prefix.text,
            context=context,
            content=content if isinstance(content, dict) else {},
            api_version=str(metadata.get("api_version") or "v1alpha2"),
            uid=_text_or_none(metadata.get("uid")),
            start_within_seconds=start_within,
            output=output,
        )
        return cls(
            task=task,
            submission_id=metadata["submission_id"],
            # Normalized to the format of `domain.clock`, because rows are sorted by this text and other
            # publishers may use another format.
            submitted_at=iso(parse(metadata["submitted_at"])),
            content_ref=None if isinstance(content, dict) else content_ref,
            group=metadata.get("group"),
            trace=_text_or_none(metadata.get("trace")),
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
