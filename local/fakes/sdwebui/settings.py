"""The settings of the fake, which are also the options of its command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the fake behaves.

    With `job_seconds`, every generation takes this time, and `step_seconds` is ignored. `max_steps` 0 runs as
    many steps as requested. `boot_seconds` and `gap_seconds` follow each other: first connections are
    refused, then the API's routes are missing. `extra_scripts` are always-on scripts in addition to the
    recorded ones: AnimateDiff, which returns GIFs, was not installed on the recorded server. `error_flavor`
    is the form of error bodies, by default the flavor's; Forge can also run AUTOMATIC1111's middleware.
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
    error_flavor: Literal["forge", "a1111"] | None = None
    api_auth: str | None = None
    server_stop: bool = False
    keep_alive_seconds: int = 30  # as recorded
    gpu_gib: float | None = None
    extra_scripts: tuple[str, ...] = ("animatediff",)

    @property
    def is_forge(self) -> bool:
        """Return whether the fake behaves as Forge, and not as AUTOMATIC1111."""
        return self.flavor == "forge"

    @property
    def error_style(self) -> str:
        """Return the flavor whose form the bodies of errors have."""
        return self.error_flavor or self.flavor
