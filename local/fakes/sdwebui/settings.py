"""What can be chosen when the fake starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold the start-up choices; times are real seconds.

    `job_seconds` overrules `step_seconds`: a generation then takes that long whatever it asks for.
    `max_steps` 0 walks as many steps as the request says. `extra_scripts` are always-on scripts beside the
    recorded ones (AnimateDiff was not installed on the recorded server, but GIFs come from it). `error_shape`
    is the flavor's own unless it is given: Forge can run AUTOMATIC1111's middleware.
    """

    model_dir: Path | None = None
    checkpoint: str | None = None
    step_seconds: float = 0.05
    job_seconds: float | None = None
    max_steps: int = 0
    extra_seconds: float = 0.05
    load_seconds: float = 1.0
    cached_load_seconds: float = 0.05
    boot_seconds: float = 0.0
    gap_seconds: float = 0.0
    web_ui: bool = False
    flavor: Literal["forge", "a1111"] = "forge"
    error_shape: Literal["forge", "a1111"] | None = None
    api_auth: str | None = None
    server_stop: bool = False
    keep_alive_seconds: int = 30  # the recorded server closes idle connections after that
    gpu_gib: float | None = None
    extra_scripts: tuple[str, ...] = ("animatediff",)

    @property
    def forge(self) -> bool:
        """Return whether it behaves as Forge does, else as AUTOMATIC1111 does."""
        return self.flavor == "forge"

    @property
    def errors(self) -> str:
        """Return whose error bodies it answers with."""
        return self.error_shape or self.flavor
