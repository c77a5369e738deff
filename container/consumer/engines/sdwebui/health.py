"""Check that SD Web UI can still generate images, and make it recover if it cannot.

After a checkpoint failed to load, SD Web UI fails every generation in milliseconds while its health routes
respond 200. Only loading another good checkpoint, or a restart, helps (55-poisoned-worker-log). A consumer
that continued would empty the queue within seconds.
"""

import json
import logging
from typing import Any, Final

from container.consumer.engines.base import EngineTimedOut
from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.request import PATHS
from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.task_type import TaskType

log = logging.getLogger(__name__)

OPTIONS: Final = "/sdapi/v1/options"
CHECKPOINT_OPTION: Final = "sd_model_checkpoint"
CHECKPOINTS: Final = "/sdapi/v1/sd-models"

MINIMAL_JOB: Final = {"prompt": "", "steps": 1, "width": 64, "height": 64, "cfg_scale": 1}
"""The smallest job that SD Web UI accepts: 0.6 s on two cores without a GPU."""

MAX_CHECKPOINTS_TRIED: Final = 3
"""How many other checkpoints are tried: few, because each takes seconds to minutes to load."""


class Health:
    """Tests SD Web UI with a minimal job; only for use between jobs, because that job needs the GPU."""

    def __init__(self, webui: WebUi) -> None:
        self._webui = webui

    def can_generate(self, checkpoint: str | None = None) -> bool:
        """Return whether a minimal job succeeds, with this checkpoint or, without one, the selected one."""
        try:
            if checkpoint is not None:
                self._webui.post(OPTIONS, {CHECKPOINT_OPTION: checkpoint})
            self._webui.run(PATHS[TaskType.TEXT_TO_IMAGE], json.dumps(MINIMAL_JOB).encode)
        except (RetryableError, PermanentError, EngineTimedOut) as error:
            log.warning("SD Web UI failed a minimal job", extra={"reason": str(error)})
            return False
        return True

    def recover(self) -> bool:
        """Load another checkpoint and then the selected one again; return whether that helped."""
        try:
            selected = self._webui.get(OPTIONS)[CHECKPOINT_OPTION]
            others = [
                model["title"] for model in self._webui.get(CHECKPOINTS) if selected not in _spellings(model)
            ]
            for other in others[:MAX_CHECKPOINTS_TRIED]:
                if self.can_generate(other) and self.can_generate(selected):
                    return True
        except (RetryableError, PermanentError) as error:
            log.warning(
                "SD Web UI could not load another checkpoint to recover", extra={"reason": error.message}
            )
        return False


def _spellings(model: dict[str, Any]) -> tuple[str, ...]:
    title, name = str(model["title"]), str(model["model_name"])
    return (title, title.partition(" [")[0], name)
