"""The stages of a task, each reached by a call that a proxy holds, or by a job that hangs in the fake."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from local.process import Process
from tests.faults.scenes import Scene
from tests.support.consumers import process
from tests.support.proxy import Hold, Proxy, engine_call, running_proxy

TASK: Final = "task"
"""The id of the task that is brought to a stage."""


@dataclass(frozen=True)
class DelayedCall:
    """The call at which a stage is reached: to AWS (`S3.PutObject`) or to the engine (`POST /prompt`)."""

    call: str
    containing: str = ""
    """A text that the request must contain."""
    after: bool = False
    """Whether the response is delayed, and not the request."""
    answering: str = ""
    """A text that the response must contain."""

    @property
    def is_to_engine(self) -> bool:
        """Return whether the call goes to the engine, and not to AWS."""
        return "/" in self.call

    def hold(self, aws: Proxy, engine: Proxy | None) -> Hold:
        """Make the proxy delay the call until the returned hold is released."""
        proxy = engine if self.is_to_engine else aws
        assert proxy is not None
        return proxy.hold(self.call, self.containing, after=self.after, answering=self.answering)


Stages = Mapping[str, DelayedCall | None]

RUNNING: Final = "running"
"""The stage without a call: the job hangs in the fake."""

AWS_STAGES: Final[Stages] = {
    "claiming": DelayedCall("DynamoDB.UpdateItem", TASK),
    "claimed": DelayedCall("DynamoDB.UpdateItem", TASK, after=True),
    RUNNING: None,
    "storing": DelayedCall("S3.PutObject", f"{TASK}-"),
    "stored": DelayedCall("S3.PutObject", ".out", after=True),
    "finishing": DelayedCall("DynamoDB.UpdateItem", "completed"),
    "finished": DelayedCall("DynamoDB.UpdateItem", "completed", after=True),
    "notifying": DelayedCall("SNS.Publish", TASK),
    "notified": DelayedCall("SNS.Publish", TASK, after=True),
    "recording notification": DelayedCall("DynamoDB.UpdateItem", "notified_at", after=True),
    "deleting": DelayedCall("SQS.DeleteMessage"),
}
"""Stages of tasks of every runtime type."""

COMFYUI_STAGES: Final[Stages] = {
    "downloading input": DelayedCall("S3.GetObject", "input.png"),
    "downloaded input": DelayedCall("S3.GetObject", "input.png", after=True),
    "downloading model": DelayedCall("S3.GetObject", "checkpoints/"),
    "downloaded model": DelayedCall("S3.GetObject", "checkpoints/", after=True),
    "uploading input": DelayedCall("POST /upload"),
    "uploaded input": DelayedCall("POST /upload", after=True),
    "freeing": DelayedCall("POST /free"),
    "freed": DelayedCall("POST /free", after=True),
    "queueing": DelayedCall("POST /prompt"),
    "queued": DelayedCall("POST /prompt", after=True),
    "reading history": DelayedCall("GET /history", answering="status_str", after=True),
    "reading output": DelayedCall("GET /view"),
    "read output": DelayedCall("GET /view", after=True),
    "removing": DelayedCall("POST /history", "delete"),
    "removed": DelayedCall("POST /history", "delete", after=True),
}
"""Further stages of ComfyUI tasks: inputs, models and outputs, and a prompt that is queued only once."""

FREEING: Final = frozenset({"freeing", "freed"})
"""Stages that occur only if a model was replaced under the same name since an earlier task."""

STAGES: Final[Stages] = {**COMFYUI_STAGES, **AWS_STAGES}
CONCURRENT_RUNS: Final = 4


@contextmanager
def at_stage(scene: Scene, stage: str) -> Iterator[tuple[Process, Callable[[], None], Proxy]]:
    """Bring a task to a stage; yield its worker, a function that lets it go on, and the engine's proxy."""
    call = STAGES[stage]
    cloud, fake = scene.cloud, scene.first
    with (
        running_proxy(cloud.aws.endpoint_url) as aws,
        running_proxy(fake.url, parse=engine_call) as engine,
        process(cloud, engine.url, endpoint=aws.url, **scene.settings(fake)) as worker,
    ):
        worker.wait_for_line("consumer started", timeout=60)
        if stage in FREEING:
            scene.submit("earlier")
            cloud.outcome("earlier")
            scene.replace_model()
        begun = fake.control.stats()["begun"]
        if call is None:
            fake.control.set("hang", jobs=1)
            scene.submit(TASK)
            fake.control.wait(begun=begun + 1)
            yield worker, fake.control.clear, engine
            return
        hold = call.hold(aws, engine)
        scene.submit(TASK)
        hold.wait()
        yield worker, hold.release, engine


def run_concurrently(run: Callable[[str], None], stages: Iterable[str]) -> None:
    """Run several stages at the same time; report all that failed."""
    with ThreadPoolExecutor(CONCURRENT_RUNS) as pool:
        runs = {stage: pool.submit(run, stage) for stage in stages}
    failed = {stage: run.exception() for stage, run in runs.items() if run.exception()}
    assert not failed, "\n".join(f"{stage}: {error}" for stage, error in failed.items())
