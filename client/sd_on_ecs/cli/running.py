"""Submit a task, wait for it, and write its images, as the commands that make images do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import Task
from sd_on_ecs.bodies import Body
from sd_on_ecs.cli.progress import wait_for
from sd_on_ecs.cli.state import Program, write_json
from sd_on_ecs.errors import TaskFailed


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a command does with the body that it has built."""

    program: Program
    out: Path
    wait: bool
    timeout: float | None
    as_json: bool

    def __call__(self, body: Body) -> None:
        """Submit a task and, unless it is not wanted, wait for it and download its images."""
        with self.program.client() as client:
            submitted: dict[str, Any] = {**client.submit(body)}
            for warning in submitted["warnings"]:
                self.program.note(f"warning: {warning['path']}: {warning['message']}")
            if self.wait:
                finish(self.program, client, submitted["id"], self)
            elif self.as_json:
                write_json(submitted)
            else:
                self.program.line(submitted["id"])


def finish(program: Program, client: Client, task_id: str, run: Run) -> None:
    """Wait for a task, download its images, and write their paths; raise `TaskFailed` if it has none."""
    task = wait_for(program, client, task_id, run.timeout)
    files = list(client.download(task, run.out)) if task["status"] == "completed" else []
    write_result(program, task, files, as_json=run.as_json)


def write_result(program: Program, task: Task, files: list[Path], *, as_json: bool) -> None:
    """Write the paths of a task's images, or all about it; raise `TaskFailed` if it is not completed."""
    if as_json:
        write_json({**task, "files": [str(path) for path in files]})
    else:
        for path in files:
            program.line(path)
    if task["status"] != "completed":
        raise TaskFailed(task)
