"""The global state of a Web UI: the running job, its progress, and requests to stop it."""

import time
from dataclasses import dataclass
from typing import Any

from PIL import Image

LOADING = -1  # job_count while a job has begun and its checkpoint is still loading


@dataclass
class State:
    """The values of `/progress`; it has no task ids, and its flags apply to whichever job runs."""

    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    current_image: Image.Image | None = None
    started_at: float = 0.0
    preview_step: int = 0

    def begin(self, job: str) -> None:
        """Begin a job; only this resets the flags of the previous one."""
        self.skipped = self.interrupted = self.stopping_generation = False
        self.job = job
        self.job_count = LOADING
        self.job_no = self.sampling_step = self.preview_step = 0
        self.job_timestamp = time.strftime("%Y%m%d%H%M%S")
        self.current_image = None
        self.started_at = time.monotonic()

    def end(self) -> None:
        """End the job; `interrupted`, `job_no` and the timestamp keep their values."""
        self.job = ""
        self.job_count = 0

    def next_iteration(self) -> None:
        """Count an iteration of the job as done."""
        self.job_no += 1
        self.sampling_step = self.preview_step = 0

    def must_stop(self) -> bool:
        """Return whether the job has to stop at the next step."""
        return self.interrupted or self.stopping_generation

    def progress(self) -> tuple[float, float]:
        """Return the done fraction of the job (0 to 1) and the seconds left, computed as Web UI does."""
        if self.job_count == 0:
            return 0.0, 0.0
        fraction = 0.01
        if self.job_count > 0:
            fraction += self.job_no / self.job_count
        if self.sampling_steps > 0:
            fraction += 1 / self.job_count * self.sampling_step / self.sampling_steps
        elapsed = time.monotonic() - self.started_at
        return min(fraction, 1.0), elapsed / fraction - elapsed

    def to_json(self) -> dict[str, Any]:
        """Return the `state` in the response of `/progress`."""
        return {
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "stopping_generation": self.stopping_generation,
            "job": self.job,
            "job_count": self.job_count,
            "job_timestamp": self.job_timestamp,
            "job_no": self.job_no,
            "sampling_step": self.sampling_step,
            "sampling_steps": self.sampling_steps,
        }
