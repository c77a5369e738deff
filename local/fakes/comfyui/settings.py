"""The settings of the fake."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Version = Literal["0.27.0", "0.3.64"]
Cache = Literal["classic", "lru", "none"]
LRU_PROMPTS = 1000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the fake.

    With `job_seconds`, every sampler takes this time, and `step_seconds` is ignored. `cache` says which
    results of nodes are kept: those of the previous prompt (`classic`, which the recorded server did by
    default), those of all prompts (`lru`), or none.
    """

    models: Path
    input: Path
    output: Path
    temp: Path
    version: Version = "0.27.0"
    step_seconds: float = 0.05
    job_seconds: float | None = None
    load_seconds: float = 0.2
    boot_seconds: float = 0.0
    cache: Cache = "classic"
    metadata: bool = True
    preview: bool = False
    max_upload_bytes: int = 100 * 1024 * 1024
    keep_alive_seconds: int = 75
    argv: tuple[str, ...] = ("main.py",)

    @property
    def old(self) -> bool:
        """Return whether the fake behaves as version 0.3.64."""
        return self.version == "0.3.64"
