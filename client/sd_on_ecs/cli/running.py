"""Submit tasks, wait for them, and write their images, as the commands that make images do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import SubmittedV1Alpha2, Task
from sd_on_ecs.bodies import Body, new_id
from sd_on_ecs.cli.progress import wait_for
from sd_on_ecs.cli.state import Program, warn, write_json
from sd_on_ecs.cli.sweeping import Sweeper, plan, run_sweep
from sd_on_ecs.cli.values import Setter, assignments, typed
from sd_on_ecs.errors import ClientError, InputError, ServiceFailed, TaskFailed, Unreachable


@dataclass(frozen=True)
class Run:
    """A body and what to do with it; `put` sets what `--set` and `--vary` name."""

    program: Program
    body: Body
    put: Setter
    out: Path
    wait: bool
    timeout: float | None
    as_json: bool
    sheet: bool

    def start(
        self,
        *,
        fields: Sequence[str] | None,
        vary: Sequence[str] | None,
        metadata: Sequence[str] | None = None,
        runtime: str | None = None,
        task_id: str | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> None:
        """Complete the body, submit it once or for each varied value, and do what was asked for with it."""
        for name, text in assignments(fields):
            self.put(self.body, name, text)
        given = {name: typed(text) for name, text in assignments(metadata)}
        options = {"runtime": runtime, "id": task_id, "output": dict(output or {}) or None}
        given |= {name: value for name, value in options.items() if value is not None}
        if given:
            self._metadata().update(given)
        with self.program.client() as client:
            if vary:
                self._sweep(client, vary, task_id)
            else:
                self._one(client)

    def _metadata(self) -> dict[str, Any]:
        task = self.body.get("task")
        metadata = task.get("metadata") if isinstance(task, dict) else None
        if not isinstance(metadata, dict):
            raise InputError("these options need a request of v1alpha2, which has /task/metadata")
        return metadata

    def _one(self, client: Client) -> None:
        submitted = self._submit(client)
        warn(self.program, submitted["warnings"])
        if self.wait:
            task, files = self._finish(client, submitted["id"])
            write_result(self.program, task, files, as_json=self.as_json)
        elif self.as_json:
            write_json(submitted)
        else:
            self.program.line(submitted["id"])

    def _submit(self, client: Client) -> SubmittedV1Alpha2:
        """Submit the task under an id that is known even if its response is lost."""
        task = self.body.get("task")
        metadata = task.get("metadata") if isinstance(task, dict) else None
        task_id = metadata.setdefault("id", new_id()) if isinstance(metadata, dict) else None
        try:
            return client.submit(self.body)
        except (Unreachable, ServiceFailed):
            if task_id is not None:
                self.program.note(
                    f"{task_id} may have been accepted: `sd-on-ecs status {task_id}` says whether it was"
                )
            raise

    def _finish(self, client: Client, task_id: str) -> tuple[Task, list[Path]]:
        """Return a task when it has ended, and its files; after an error, say how to get them."""
        said = f"{task_id} goes on; `sd-on-ecs download {task_id} --wait` gets its images"
        try:
            task = wait_for(self.program, client, task_id, self.timeout)
            said = f"{task_id} is {task['status']}; `sd-on-ecs download {task_id}` gets its images"
            files = list(client.download(task, self.out)) if task["status"] == "completed" else []
        except ClientError:
            self.program.note(said)
            raise
        return task, files

    def _sweep(self, client: Client, vary: Sequence[str], batch: str | None) -> None:
        self._metadata()
        sweeper = Sweeper(
            program=self.program,
            client=client,
            out=self.out,
            timeout=self.timeout,
            as_json=self.as_json,
            sheet=self.sheet,
        )
        # The images of all tasks are the same files, so they are uploaded once.
        body = client.upload_files(self.body)
        run_sweep(sweeper, plan(body, vary, self.put, batch), wait=self.wait)


def write_result(program: Program, task: Task, files: Sequence[Path], *, as_json: bool) -> None:
    """Write the paths of a task's images, or all about it; raise `TaskFailed` if it is not completed."""
    left_out = task.get("images_left_out")
    if left_out:
        program.note(f"{left_out} further images are only listed in the document: {task['output_location']}")
    if as_json:
        write_json({**task, "files": [str(path) for path in files]})
    else:
        for path in files:
            program.line(path)
    if task["status"] != "completed":
        raise TaskFailed(task)
