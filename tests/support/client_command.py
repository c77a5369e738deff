"""Run the command `sd-on-ecs` as a person does, in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "client"
SECONDS = 60.0


@dataclass(frozen=True)
class Command:
    """Runs the command in a folder, with an environment."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, status: int = 0, text: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Return what the command wrote; it must end with `status`, and reads `text`."""
        done = subprocess.run(
            [sys.executable, "-m", "sd_on_ecs", *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(CLIENT), **environment},
            input=text or "",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done
