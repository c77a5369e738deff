"""Workers and engines that are killed or frozen at each stage of a task, as real processes.

A stage is reached by a call that a proxy holds, or by a job that hangs in the fake: no timing.
"""

import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator
from local.fakes.process import FakeServer
from local.fakes.sdwebui.process import FakeWebUi
from local.process import Process
from tests.faults.scenes import ComfyUiScene, Scene, SdWebUiScene, completed_once
from tests.faults.stages import AWS_STAGES, COMFYUI_STAGES, FREEING, RUNNING, TASK, Stages
from tests.support.consumers import process, running_consumer
from tests.support.proxy import engine_call, running_proxy

Break = Callable[[Process], Callable[[], None]]


def kill(worker: Process) -> Callable[[], None]:
    """Kill a worker as if its machine failed."""
    worker.kill()
    return lambda: None


def freeze(worker: Process) -> Callable[[], None]:
    """Stop a worker; return a function that wakes it."""
    worker.send(signal.SIGSTOP)
    return lambda: worker.send(signal.SIGCONT)


LATE_ANSWERS = {"queued", "reading history"}

SHORT = {
    kill: ("running", "claimed", "stored", "finished", "notified"),
    freeze: ("running", "claimed", "storing", "finishing"),
}
"""What `make test` has time for, with SD Web UI."""

STAGES: Stages = {**COMFYUI_STAGES, **AWS_STAGES}
EXECUTED = tuple(stage for stage, held in STAGES.items() if held is None or held.after)
"""For whoever is killed: before a call is executed is as good as after the previous one."""
DELAYED = tuple(
    stage for stage, held in STAGES.items() if held is None or not held.after or stage in LATE_ANSWERS
)
"""For a worker that is frozen: a call that was delayed is executed after it has lost its task."""

CASES = [
    *(
        pytest.param("sdwebui", break_worker, stages, id=f"{break_worker.__name__} at some")
        for break_worker, stages in SHORT.items()
    ),
    *(
        pytest.param(
            "sdwebui",
            break_worker,
            tuple(stage for stage in AWS_STAGES if stage not in stages),
            id=f"{break_worker.__name__} at the others",
            marks=pytest.mark.long,
        )
        for break_worker, stages in SHORT.items()
    ),
    *(
        pytest.param(
            "comfyui",
            break_worker,
            stages,
            id=f"{break_worker.__name__} with ComfyUI",
            marks=[pytest.mark.long, pytest.mark.timeout(600)],
        )
        for break_worker, stages in ((kill, EXECUTED), (freeze, DELAYED))
    ),
]

AT_ONCE = 4
TIDY_SECONDS = 10
FROZEN_SECONDS = 12
"""Longer than the worker waits for a response of ComfyUI."""

LOST_WITH_ENGINE = {"running", "queued", "reading history", "reading output", "read output"}
LOST_WITH_WORKER = LOST_WITH_ENGINE | {"removing", "removed", "storing", "stored", "finishing"}
"""At these stages ComfyUI has the job, but its result is lost: it is queued a second time."""


@pytest.fixture
def open_scene(aws: Emulator, webui: FakeWebUi, tmp_path: Path) -> "SceneOf":
    """Return a function that opens a scene of a runtime type until the block ends."""

    @contextmanager
    def open_(runtime_type: str, stage: str) -> Any:
        with ExitStack() as stack:
            if runtime_type == "comfyui":
                yield ComfyUiScene(aws, tmp_path / stage.replace(" ", "-"), stack)
            else:
                yield SdWebUiScene(aws, webui)

    return open_


SceneOf = Callable[[str, str], AbstractContextManager[Scene]]


@pytest.mark.parametrize(("runtime_type", "break_worker", "stages"), CASES)
def test_another_worker_finishes_the_task(
    open_scene: SceneOf, runtime_type: str, break_worker: Break, stages: tuple[str, ...]
) -> None:
    """With one outcome and one callback, whatever the first worker still does when it wakes."""

    def run(stage: str) -> None:
        with open_scene(runtime_type, stage) as scene:
            broken_worker(scene, break_worker, stage)

    alone = [stage for stage in stages if runtime_type == "sdwebui" and stage == RUNNING]
    for stage in alone:  # it hangs whatever job comes next
        run(stage)
    at_once(run, [stage for stage in stages if stage not in alone])


def at_once(run: Callable[[str], None], stages: Iterable[str]) -> None:
    """Run several stages at the same time; report all that failed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {stage: pool.submit(run, stage) for stage in stages}
    failed = {stage: run.exception() for stage, run in runs.items() if run.exception()}
    assert not failed, "\n".join(f"{stage}: {error}" for stage, error in failed.items())


def broken_worker(scene: Scene, break_worker: Break, stage: str) -> None:
    """Break the worker at a stage, and let another one finish the task."""
    with at_stage(scene, stage) as (first, release, _):
        wake = break_worker(first)
        engine = scene.first if break_worker is kill else scene.another()
        if STAGES[stage] is None:
            release()
        with consumer_beside(scene, engine):
            scene.cloud.outcome(TASK)
            release()
            wake()
            scene.cloud.wait_until_empty()
            row = completed_once(scene.cloud, TASK)
            scene.check(row)
            leaves_nothing(scene)
    if isinstance(scene, ComfyUiScene):
        most = 2 if stage in LOST_WITH_WORKER or (break_worker is freeze and stage == "queueing") else 1
        assert scene.posted() - (stage in FREEING) <= most


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("break_engine", "stages"), [(kill, (*EXECUTED, "queueing")), (freeze, EXECUTED)], ids=["kill", "freeze"]
)
def test_a_worker_finishes_the_task_when_its_comfyui_was_killed_or_frozen(
    open_scene: SceneOf, break_engine: Break, stages: tuple[str, ...]
) -> None:
    def run(stage: str) -> None:
        with open_scene("comfyui", stage) as scene:
            assert isinstance(scene, ComfyUiScene)
            broken_engine(scene, break_engine, stage)

    at_once(run, stages)


def broken_engine(scene: ComfyUiScene, break_engine: Break, stage: str) -> None:
    """Break ComfyUI at a stage; start it again or wake it later."""
    with at_stage(scene, stage) as (worker, release, engine):
        wake = break_engine(scene.first.process)
        if break_engine is kill:
            engine.refuse()
        if STAGES[stage] is not None:
            release()
        if break_engine is kill:
            scene.restart()
            engine.listen()
        else:
            time.sleep(FROZEN_SECONDS)
            wake()
            release()
        scene.cloud.outcome(TASK)
        scene.cloud.wait_until_empty()
        scene.check(completed_once(scene.cloud, TASK))
        leaves_nothing(scene)
        assert worker.returncode is None
        most = 2 if stage in LOST_WITH_ENGINE and break_engine is kill else 1
        assert engine.forwarded["POST /prompt"] - (stage in FREEING) <= most


def leaves_nothing(scene: Scene) -> None:
    """Wait until no engine has anything of a task, which is removed shortly after its outcome."""
    deadline = time.monotonic() + TIDY_SECONDS
    while left := scene.left_behind():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@contextmanager
def at_stage(scene: Scene, stage: str) -> Any:
    """Bring a task to a stage; yield its worker, a function that lets it go on, and the engine's proxy."""
    held = STAGES[stage]
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
        if held is None:
            fake.control.set("hang", jobs=1)
            scene.submit(TASK)
            fake.control.wait(begun=begun + 1)
            yield worker, fake.control.clear, engine
            return
        hold = held.hold(aws, engine)
        scene.submit(TASK)
        hold.wait()
        yield worker, hold.release, engine


@contextmanager
def consumer_beside(scene: Scene, engine: FakeServer) -> Any:
    """Run a consumer beside an engine, in this process if it needs no models."""
    if isinstance(scene, SdWebUiScene):
        with running_consumer(scene.cloud, engine.url) as consumer:
            yield
            assert consumer.error is None
    else:
        with process(scene.cloud, engine.url, **scene.settings(engine)):
            yield
