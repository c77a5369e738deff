"""Send an image task through the API of a deployment, and follow it to its image."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from infra.runtime_types.base import Runtime
from tools.cdk import StepFailed
from tools.services import Services

# Twice the time for buying an instance, pulling images and loading a checkpoint, for a second attempt.
TASK_SECONDS: Final = 1800.0
POLL_SECONDS: Final = 5.0
_CALL_SECONDS: Final = 40.0  # API Gateway times out after 29
_FINAL_STATES: Final = {"completed", "failed", "cancelled"}
_IMAGE_SIGNATURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


@dataclass(kw_only=True)
class ServiceEvents:
    """Reports the events of one ECS service, and why its ECS tasks stopped, each only once."""

    ecs: Any
    services: Services
    runtime: str
    _seen: set[str] = field(default_factory=set)

    def skip(self) -> None:
        """Mark all existing events as reported, because they are older than the image task."""
        for _ in self.new_lines():
            pass

    def new_lines(self) -> Iterator[str]:
        """Yield the events and stop reasons that were not reported before."""
        service = self.services.by_runtime[self.runtime]
        cluster = {"cluster": self.services.cluster}
        for description in self.ecs.describe_services(**cluster, services=[service])["services"]:
            # ECS lists the newest event first.
            for event in reversed(description.get("events", [])):
                yield from self._if_new(event["id"], event["message"])
        arns = self.ecs.list_tasks(**cluster, serviceName=service, desiredStatus="STOPPED")["taskArns"]
        for ecs_task in self.ecs.describe_tasks(**cluster, tasks=arns)["tasks"] if arns else []:
            containers = [
                f"{container['name']}: {container['reason']}"
                for container in ecs_task["containers"]
                if "reason" in container
            ]
            reason = "; ".join([ecs_task.get("stoppedReason", "no reason given"), *containers])
            yield from self._if_new(ecs_task["taskArn"], f"an ECS task stopped: {reason}")

    def _if_new(self, key: str, text: str) -> Iterator[str]:
        if key not in self._seen:
            self._seen.add(key)
            yield text


class FirstTask:
    """Submits one sample task, waits for its end, and downloads its image by the presigned link."""

    def __init__(
        self,
        *,
        api_url: str,
        api_key: str,
        say: Callable[[str], None],
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(headers={"x-api-key": api_key}, timeout=_CALL_SECONDS)
        self._api_url = api_url.rstrip("/")
        self._say = say
        self._wait = wait
        self._clock = clock

    def run(
        self, runtime: Runtime, *, events: ServiceEvents | None = None, seconds: float = TASK_SECONDS
    ) -> str:
        """Submit a sample task and return the link to its image; raise StepFailed if there is none."""
        sample = runtime.sample_task()
        if sample is None:
            raise StepFailed(f"there is no sample task for {runtime.name}: send one of your own")
        tasktype, content = sample
        task_id = f"first-task-{secrets.token_hex(4)}"
        if events is not None:
            events.skip()
        metadata = {
            "id": task_id,
            "runtime": runtime.name,
            "tasktype": tasktype,
            "prefix": "first-tasks",
            "context": "",
        }
        response = self._http.post(
            f"{self._api_url}/v1alpha2", json={"task": {"metadata": metadata, "content": content}}
        )
        if not response.is_success:
            raise StepFailed(f"the API answered {response.status_code}: {response.text}")
        task = self._wait_for_end(task_id, events, deadline=self._clock() + seconds)
        if task["status"] != "completed":
            raise StepFailed(f"the task {task_id} ended as {task['status']}: {task['error']}")
        return self._check_image(task)

    def _wait_for_end(self, task_id: str, events: ServiceEvents | None, *, deadline: float) -> dict[str, Any]:
        status = None
        while True:
            response = self._http.get(f"{self._api_url}/v1alpha2/tasks/{task_id}").raise_for_status()
            task: dict[str, Any] = response.json()
            if task["status"] != status:
                status = task["status"]
                self._say(f"task {task_id}: {status}")
            if status in _FINAL_STATES:
                return task
            for line in events.new_lines() if events is not None else ():
                self._say(f"  {line}")
            if self._clock() > deadline:
                raise StepFailed(
                    f"the task {task_id} is still {status}; docs/deploy.md says where to look. It is not "
                    "lost: it runs when the cause is repaired"
                )
            self._wait(POLL_SECONDS)

    def _check_image(self, task: dict[str, Any]) -> str:
        if not task["images"]:
            raise StepFailed(f"the task {task['id']} completed without an image")
        link: str = task["images"][0]["url"]
        # A client without the API key, because a presigned link must work without one.
        with httpx.Client(timeout=_CALL_SECONDS) as client:
            image = client.get(link).raise_for_status().content
        if not image.startswith(_IMAGE_SIGNATURES):
            raise StepFailed(f"the link of {task['id']} leads to {len(image)} bytes that are no image")
        self._say(f"task {task['id']}: its link leads to an image of {len(image):,} bytes")
        return link
