"""Workers and engines that are killed or frozen at each stage of a task, as real processes.

A stage is reached by a call that a proxy holds, or by a job that hangs in the fake: no timing.
"""

import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from local.fakes.process import FakeServer
from local.process import Process
from tests.faults.scenes import (
    ComfyUiScene,
    OpenScene,
    Scene,
    SdWebUiScene,
    check_completed_once,
    wait_until_removed,
)
from tests.faults.stages import AWS_STAGES, FREEING, RUNNING, STAGES, TASK, at_stage, run_concurrently
from tests.support.consumers import process, running_consumer

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

STAGES_FOR_KILL = tuple(stage for stage, call in STAGES.items() if call is None or call.after)
"""Only stages after a call: a process that is killed before a call leaves the state after the previous
one."""
STAGES_FOR_FREEZE = tuple(
    stage for stage, call in STAGES.items() if call is None or not call.after or stage in LATE_RESPONSES
)
"""Stages before a call: it is executed after the frozen worker has lost its lease."""

CASES = [
    *(
        pytest.param(
            "sdwebui",
            break_worker,
            stages,
            id=f"{break_worker.__name__} at some",
            marks=[pytest.mark.long] if break_worker is freeze else [],
        )
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

FROZEN_SECONDS = 12
"""Longer than the worker waits for a response of ComfyUI."""

RESULT_LOST_WITH_ENGINE = {"running", "queued", "reading history", "reading output", "read output"}
RESULT_LOST_WITH_WORKER = RESULT_LOST_WITH_ENGINE | {"storing", "stored", "finishing"}
"""At these stages ComfyUI has the job, but its result is lost: it is queued a second time."""


@pytest.mark.parametrize(("runtime_type", "break_worker", "stages"), CASES)
def test_another_worker_finishes_the_task(
    open_scene: OpenScene, runtime_type: str, break_worker: Break, stages: tuple[str, ...]
) -> None:
    """With one outcome and one callback, whatever the first worker still does when it is resumed."""

    def run(stage: str) -> None:
        with open_scene(runtime_type, stage) as scene:
            check_with_broken_worker(scene, break_worker, stage)

    sequential = [stage for stage in stages if runtime_type == "sdwebui" and stage == RUNNING]
    for stage in sequential:  # the fault hangs whichever job comes next, also of another stage
        run(stage)
    run_concurrently(run, [stage for stage in stages if stage not in sequential])


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
    open_scene: OpenScene, break_engine: Break, stages: tuple[str, ...]
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
