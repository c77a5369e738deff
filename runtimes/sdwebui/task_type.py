"""The task types of SD Web UI."""

from enum import StrEnum


class TaskType(StrEnum):
    """What a task asks SD Web UI to do."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    EXTRA_SINGLE_IMAGE = "extra-single-image"
    EXTRA_BATCH_IMAGES = "extra-batch-images"

    @property
    def generates(self) -> bool:
        """Return whether the task needs a checkpoint."""
        return self in (TaskType.TEXT_TO_IMAGE, TaskType.IMAGE_TO_IMAGE)
