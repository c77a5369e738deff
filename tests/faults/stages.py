"""The stages of a task, each reached by a call that a proxy holds, or by a job that hangs in the fake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.support.proxy import Hold, Proxy

TASK: Final = "task"
"""The id of the task that is brought to a stage."""


@dataclass(frozen=True)
class Stage:
    """The delayed call: of AWS (`S3.PutObject`), or of the engine (`POST /prompt`)."""

    call: str
    containing: str = ""
    after: bool = False
    answering: str = ""

    @property
    def is_of_engine(self) -> bool:
        """Return whether the engine is called."""
        return "/" in self.call

    def hold(self, aws: Proxy, engine: Proxy | None) -> Hold:
        """Delay the call."""
        between = engine if self.is_of_engine else aws
        assert between is not None
        return between.hold(self.call, self.containing, after=self.after, answering=self.answering)


Stages = Mapping[str, Stage | None]

RUNNING: Final = "running"
"""The stage without a call: the job hangs in the fake."""

AWS_STAGES: Final[Stages] = {
    "claiming": Stage("DynamoDB.UpdateItem", TASK),
    "claimed": Stage("DynamoDB.UpdateItem", TASK, after=True),
    RUNNING: None,
    "storing": Stage("S3.PutObject", f"{TASK}-"),
    "stored": Stage("S3.PutObject", ".out", after=True),
    "finishing": Stage("DynamoDB.UpdateItem", "completed"),
    "finished": Stage("DynamoDB.UpdateItem", "completed", after=True),
    "telling": Stage("SNS.Publish", TASK),
    "notified": Stage("SNS.Publish", TASK, after=True),
    "noting": Stage("DynamoDB.UpdateItem", "notified_at", after=True),
    "deleting": Stage("SQS.DeleteMessage"),
}
"""Those that every engine has."""

COMFYUI_STAGES: Final[Stages] = {
    "downloading input": Stage("S3.GetObject", "input.png"),
    "downloaded input": Stage("S3.GetObject", "input.png", after=True),
    "downloading model": Stage("S3.GetObject", "checkpoints/"),
    "downloaded model": Stage("S3.GetObject", "checkpoints/", after=True),
    "uploading input": Stage("POST /upload"),
    "uploaded input": Stage("POST /upload", after=True),
    "freeing": Stage("POST /free"),
    "freed": Stage("POST /free", after=True),
    "queueing": Stage("POST /prompt"),
    "queued": Stage("POST /prompt", after=True),
    "reading history": Stage("GET /history", answering="status_str", after=True),
    "reading output": Stage("GET /view"),
    "read output": Stage("GET /view", after=True),
    "removing": Stage("POST /history", "delete"),
    "removed": Stage("POST /history", "delete", after=True),
}
"""Further ones of ComfyUI: inputs, models and outputs, and a prompt that is queued once."""

FREEING: Final = frozenset({"freeing", "freed"})
"""Stages that come only with a model that was replaced under its name since an earlier task."""
