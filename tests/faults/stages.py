"""The stages of a task, each reached by a call that a proxy holds, or by a job that hangs in the fake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.support.proxy import Hold, Proxy

TASK: Final = "task"
"""The id of the task that is brought to a stage."""


@dataclass(frozen=True)
class DelayedCall:
    """The call at which a stage is reached: to AWS (`S3.PutObject`) or to the engine (`POST /prompt`)."""

    call: str
    containing: str = ""
    """A text that the request must contain."""
    after: bool = False
    """Whether the response is delayed, and not the request."""
    answering: str = ""
    """A text that the response must contain."""

    @property
    def is_to_engine(self) -> bool:
        """Return whether the call goes to the engine, and not to AWS."""
        return "/" in self.call

    def hold(self, aws: Proxy, engine: Proxy | None) -> Hold:
        """Make the proxy delay the call until the returned hold is released."""
        proxy = engine if self.is_to_engine else aws
        assert proxy is not None
        return proxy.hold(self.call, self.containing, after=self.after, answering=self.answering)


Stages = Mapping[str, DelayedCall | None]

RUNNING: Final = "running"
"""The stage without a call: the job hangs in the fake."""

AWS_STAGES: Final[Stages] = {
    "claiming": DelayedCall("DynamoDB.UpdateItem", TASK),
    "claimed": DelayedCall("DynamoDB.UpdateItem", TASK, after=True),
    RUNNING: None,
    "storing": DelayedCall("S3.PutObject", f"{TASK}-"),
    "stored": DelayedCall("S3.PutObject", ".out", after=True),
    "finishing": DelayedCall("DynamoDB.UpdateItem", "completed"),
    "finished": DelayedCall("DynamoDB.UpdateItem", "completed", after=True),
    "notifying": DelayedCall("SNS.Publish", TASK),
    "notified": DelayedCall("SNS.Publish", TASK, after=True),
    "recording notification": DelayedCall("DynamoDB.UpdateItem", "notified_at", after=True),
    "deleting": DelayedCall("SQS.DeleteMessage"),
}
"""Stages of tasks of every runtime type."""

COMFYUI_STAGES: Final[Stages] = {
    "downloading input": DelayedCall("S3.GetObject", "input.png"),
    "downloaded input": DelayedCall("S3.GetObject", "input.png", after=True),
    "downloading model": DelayedCall("S3.GetObject", "checkpoints/"),
    "downloaded model": DelayedCall("S3.GetObject", "checkpoints/", after=True),
    "uploading input": DelayedCall("POST /upload"),
    "uploaded input": DelayedCall("POST /upload", after=True),
    "freeing": DelayedCall("POST /free"),
    "freed": DelayedCall("POST /free", after=True),
    "queueing": DelayedCall("POST /prompt"),
    "queued": DelayedCall("POST /prompt", after=True),
    "reading history": DelayedCall("GET /history", answering="status_str", after=True),
    "reading output": DelayedCall("GET /view"),
    "read output": DelayedCall("GET /view", after=True),
    "removing": DelayedCall("POST /history", "delete"),
    "removed": DelayedCall("POST /history", "delete", after=True),
}
"""Further stages of ComfyUI tasks: inputs, models and outputs, and a prompt that is queued only once."""

FREEING: Final = frozenset({"freeing", "freed"})
"""Stages that occur only if a model was replaced under the same name since an earlier task."""
