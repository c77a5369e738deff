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
from tests.faults.scenes import ComfyUiScene, Scene, SdWebUiScene, check_completed_once
from tests.faults.stages import AWS_STAGES, COMFYUI_STAGES, FREEING, RUNNING, TASK, Stages
from tests.support.consumers import process, running_consumer
from tests.support.proxy import engine_call, running_proxy

Break = Callable[[Process], Callable[[], None]]


def kill(worker: Process) -> Callable[[], None]:
    """Kill a worker as if its machine failed."""
    worker.kill()
    return lambda: None


def freeze(worker: Process) -> Callable[[], None]:
    """Stop a worker; return a function that resumes it."""
    worker.send(signal.SIGSTOP)
    return lambda: worker.send(signal.SIGCONT)


# Stages at which the response is delayed that tells a worker of its job.
LATE_RESPONSES = {"queued", "reading history"}

QUICK_STAGES = {
    kill: ("running", "claimed", "stored", "finished", "notified"),
    freeze: ("running", "claimed", "storing", "finishing"),
}
"""The stages for which `make test` has time, with SD Web UI."""

STAGES: Stages = {**COMFYUI_STAGES, **AWS_STAGES}
STAGES_FOR_KILL = tuple(stage for stage, call in STAGES.items() if call is None or call.after)
"""Only stages after a call: a process that is killed before a call leaves the state after the previous
one."""
STAGES_FOR_FREEZE = tuple(
    stage for stage, call in STAGES.items() if call is None or not call.after or stage in LATE_RESPONSES
)
"""Stages before a call: it is executed after the frozen worker has lost its lease."""

CASES = [
    *(
        pytest.param("sdwebui", break_worker, stages, id=f"{break_worker.__name__} at some")
        for break_worker, stages in QUICK_STAGES.items()
    ),
    *(
        pytest.param(
            "sdwebui",
            break_worker,
            tuple(stage for stage in AWS_STAGES if stage not in stages),
            id=f"{break_worker.__name__} at the others",
            marks=pytest.mark.long,
        )
        for break_worker, stages in QUICK_STAGES.items()
    ),
    *(
        pytest.param(
            "comfyui",
            break_worker,
            stages,
            id=f"{break_worker.__name__} with ComfyUI",
            marks=[pytest.mark.long, pytest.mark.timeout(600)],
        )
        for break_worker, stages in ((kill, STAGES_FOR_KILL), (freeze, STAGES_FOR_FREEZE))
    ),
]

CONCURRENT_RUNS = 4
CLEANUP_SECONDS = 10
FROZEN_SECONDS = 12
"""Longer than the worker waits for a response of ComfyUI."""

RESULT_LOST_WITH_ENGINE = {"running", "queued", "reading history", "reading output", "read output"}
RESULT_LOST_WITH_WORKER = RESULT_LOST_WITH_ENGINE | {"removing", "removed", "storing", "stored", "finishing"}
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
    """With one outcome and one callback, whatever the first worker still does when it is resumed."""

    def run(stage: str) -> None:
        with open_scene(runtime_type, stage) as scene:
            check_with_broken_worker(scene, break_worker, stage)

    sequential = [stage for stage in stages if runtime_type == "sdwebui" and stage == RUNNING]
    for stage in sequential:  # the fault hangs whichever job comes next, also of another stage
        run(stage)
    run_concurrently(run, [stage for stage in stages if stage not in sequential])


def run_concurrently(run: Callable[[str], None], stages: Iterable[str]) -> None:
    """Run several stages at the same time; report all that failed."""
    with ThreadPoolExecutor(CONCURRENT_RUNS) as pool:
        runs = {stage: pool.submit(run, stage) for stage in stages}
    failed = {stage: run.exception() for stage, run in runs.items() if run.exception()}
    assert not failed, "\n".join(f"{stage}: {error}" for stage, error in failed.items())


def check_with_broken_worker(scene: Scene, break_worker: Break, stage: str) -> None:
    """Break the worker at a stage, and let another one finish the task."""
    with at_stage(scene, stage) as (first, release, _):
        resume = break_worker(first)
        engine = scene.first if break_worker is kill else scene.second_engine()
        if STAGES[stage] is None:
            release()
        with run_consumer_beside(scene, engine):
            scene.cloud.outcome(TASK)
            release()
            resume()
            scene.cloud.wait_until_empty()
            row = check_completed_once(scene.cloud, TASK)
            scene.check(row)
            wait_until_removed(scene)
    if isinstance(scene, ComfyUiScene):
        max_prompts = (
            2 if stage in RESULT_LOST_WITH_WORKER or (break_worker is freeze and stage == "queueing") else 1
        )
        assert scene.prompt_count() - (stage in FREEING) <= max_prompts


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("break_engine", "stages"),
    [(kill, (*STAGES_FOR_KILL, "queueing")), (freeze, STAGES_FOR_KILL)],
    ids=["kill", "freeze"],
)
def test_a_worker_finishes_the_task_when_its_comfyui_was_killed_or_frozen(
    open_scene: SceneOf, break_engine: Break, stages: tuple[str, ...]
) -> None:
    def run(stage: str) -> None:
        with open_scene("comfyui", stage) as scene:
            assert isinstance(scene, ComfyUiScene)
            check_with_broken_engine(scene, break_engine, stage)

    run_concurrently(run, stages)


def check_with_broken_engine(scene: ComfyUiScene, break_engine: Break, stage: str) -> None:
    """Break ComfyUI at a stage; start it again or resume it later."""
    with at_stage(scene, stage) as (worker, release, engine):
        resume = break_engine(scene.first.process)
        if break_engine is kill:
            engine.refuse()
        if STAGES[stage] is not None:
            release()
        if break_engine is kill:
            scene.restart()
            engine.listen()
        else:
            time.sleep(FROZEN_SECONDS)
            resume()
            release()
        scene.cloud.outcome(TASK)
        scene.cloud.wait_until_empty()
        scene.check(check_completed_once(scene.cloud, TASK))
        wait_until_removed(scene)
        assert worker.returncode is None
        max_prompts = 2 if stage in RESULT_LOST_WITH_ENGINE and break_engine is kill else 1
        assert engine.forwarded["POST /prompt"] - (stage in FREEING) <= max_prompts


def wait_until_removed(scene: Scene) -> None:
    """Wait until no engine has anything of a task, which is removed shortly after its outcome."""
    deadline = time.monotonic() + CLEANUP_SECONDS
    while remaining := scene.remaining_on_engines():
        assert time.monotonic() < deadline, remaining
        time.sleep(0.1)


@contextmanager
def at_stage(scene: Scene, stage: str) -> Any:
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


@contextmanager
def run_consumer_beside(scene: Scene, engine: FakeServer) -> Any:
    """Run a consumer beside an engine, in this process if it needs no models."""
    if isinstance(scene, SdWebUiScene):
        with running_consumer(scene.cloud, engine.url) as consumer:
            yield
            assert consumer.error is None
    else:
        with process(scene.cloud, engine.url, **scene.settings(engine)):
            yield
