"""Whether SD Web UI can still make a picture, and how one that cannot is healed.

After a checkpoint failed to load, Web UI fails every generation in milliseconds while its probes answer 200;
only another good checkpoint, or a restart, helps it (55-poisoned-worker-log). A consumer that went on would
empty the queue in seconds.
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
OPTION: Final = "sd_model_checkpoint"
LISTED: Final = "/sdapi/v1/sd-models"

MINIMAL: Final = {"prompt": "", "steps": 1, "width": 64, "height": 64, "cfg_scale": 1}
"""The least that Web UI generates: 0.6 s on two cores without a GPU."""

MOST_CHECKPOINTS: Final = 3
"""That are tried for healing: each is a load of seconds to minutes."""


class Health:
    """Try SD Web UI with a minimal job; only between jobs, for it takes the GPU."""

    def __init__(self, webui: WebUi) -> None:
        self._webui = webui

    def works(self, checkpoint: str | None = None) -> bool:
        """Tell whether a minimal generation succeeds, with the selected checkpoint unless one is named."""
        try:
            if checkpoint is not None:
                self._webui.post(OPTIONS, {OPTION: checkpoint})
            self._webui.run(PATHS[TaskType.TEXT_TO_IMAGE], json.dumps(MINIMAL).encode())
        except (RetryableError, PermanentError, EngineTimedOut) as fault:
            log.warning("SD Web UI does not work", extra={"reason": str(fault)})
            return False
        return True

    def heal(self) -> bool:
        """Load another checkpoint and then the selected one again; tell whether that helped."""
        try:
            selected = self._webui.get(OPTIONS)[OPTION]
            others = [model["title"] for model in self._webui.get(LISTED) if selected not in _names(model)]
            for other in others[:MOST_CHECKPOINTS]:
                if self.works(other) and self.works(selected):
                    return True
        except (RetryableError, PermanentError) as fault:
            log.warning("SD Web UI cannot be healed", extra={"reason": fault.message})
        return False


def _names(model: dict[str, Any]) -> tuple[str, ...]:
    title, name = str(model["title"]), str(model["model_name"])
    return (title, title.partition(" [")[0], name)
