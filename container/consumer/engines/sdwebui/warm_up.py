"""Run a small job before the first task, so that no caller waits for what SD Web UI does only once.

That is the loading of the checkpoint and of CUDA's kernels.
"""

import logging
import threading
import time
from typing import Any, Final

from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.request import PATHS
from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.task_type import TaskType

log = logging.getLogger(__name__)

WARM_UP_SECONDS: Final = 60.0
"""A job of one step takes seconds. If it takes this long, tasks are claimed without it."""

_CHECK_SECONDS: Final = 0.1

_PATH: Final = PATHS[TaskType.TEXT_TO_IMAGE]

# 512 x 512 is the size of most tasks of SD 1.5, and CUDA chooses its kernels for a size.
_BODY: Final[dict[str, Any]] = {
    "prompt": "",
    "steps": 1,
    "width": 512,
    "height": 512,
    "seed": 1,
    "send_images": False,
    "save_images": False,
}


class WarmUp:
    """Runs a small job if SD Web UI was seen to start; one that already ran may have had jobs before."""

    def __init__(self, webui: WebUi) -> None:
        self._webui = webui
        self._starting = False

    def note_start(self) -> None:
        """Note that SD Web UI is starting, if it does not respond yet."""
        self._starting = self._starting or not self._webui.is_ready()

    def run(self, stop: threading.Event) -> None:
        """Run the job and wait for its end, or until `stop` is set; an error is only logged."""
        if not self._starting:
            return
        self._starting = False
        has_ended = threading.Event()
        # A daemon, so that a process that shuts down does not wait for the response.
        threading.Thread(target=self._post, args=[has_ended], name="warm-up", daemon=True).start()
        while not stop.is_set() and not has_ended.wait(_CHECK_SECONDS):
            pass

    def _post(self, has_ended: threading.Event) -> None:
        started_at = time.monotonic()
        try:
            self._webui.post(_PATH, _BODY, seconds=WARM_UP_SECONDS)
        except (RetryableError, PermanentError) as error:
            log.warning(
                "the warm-up job failed: the first task will take longer", extra={"reason": error.message}
            )
        else:
            log.info("the warm-up job has ended", extra={"seconds": round(time.monotonic() - started_at, 3)})
        finally:
            has_ended.set()
