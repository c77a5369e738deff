"""The task: what a caller asked for, whichever version of the API it came by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.canonical import canonical, sha256
from domain.keys import OutputKeys


class TaskType(StrEnum):
    """Name the task types of runtimes of type `sdwebui`."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    EXTRA_SINGLE_IMAGE = "extra-single-image"
    EXTRA_BATCH_IMAGES = "extra-batch-images"

    @property
    def generates(self) -> bool:
        """Tell whether a checkpoint takes part."""
        return self in (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE)


@dataclass(frozen=True, slots=True)
class Task:
    """Hold one valid task: metadata, and content as it goes to SD Web UI but for links and routing keys."""

    id: str
    runtime: str
    tasktype: TaskType
    prefix: str
    context: Any
    content: dict[str, Any]
    api_version: str
    uid: str | None = None

    @property
    def digest(self) -> str:
        """Return what makes two submissions the same: runtime, tasktype, prefix, context and content."""
        return sha256(
            canonical([self.runtime, self.tasktype.value, self.prefix, self.context, self.content]),
        )

    @property
    def keys(self) -> OutputKeys:
        """Return the names of the task's objects."""
        return OutputKeys(prefix=self.prefix, id=self.id)

    @property
    def checkpoint(self) -> str | None:
        """Return the checkpoint that the task names."""
        scripts = self.content.get("alwayson_scripts")
        name = scripts.get("sd_model_checkpoint") if isinstance(scripts, dict) else None
        return name if isinstance(name, str) else None
