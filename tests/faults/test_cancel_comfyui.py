"""Cancelling a ComfyUI task at each stage: one outcome, nothing left behind, and the next task runs."""

import pytest

from domain.errors import InvalidTask
from domain.row import Row, Status
from tests.faults.scenes import ComfyUiScene, OpenScene, Scene, wait_until_removed
from tests.faults.stages import TASK, at_stage, run_concurrently
from tests.support.consumers import process

CANCELLED, COMPLETED = Status.CANCELLED, Status.COMPLETED
NOT_SENT = ("claiming", "claimed", "downloaded input", "downloaded model", "uploaded input")
"""At these stages ComfyUI has not got the prompt, and it never does."""

HANGING = ("queueing", "queued", "running")
"""At these stages the job hangs, so that only the cancel can end it."""

POSSIBLE = {
    **{stage: {CANCELLED} for stage in (*NOT_SENT, *HANGING)},
    **{stage: {CANCELLED, COMPLETED} for stage in ("reading history", "reading output", "storing", "stored")},
    **{stage: {COMPLETED} for stage in ("finishing", "finished")},
}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_cancel_at_each_stage_has_one_outcome_and_leaves_nothing(open_scene: OpenScene) -> None:
    def run(stage: str) -> None:
        with open_scene("comfyui", stage) as scene:
            check_cancelled(scene, stage)

    run_concurrently(run, POSSIBLE)


def check_cancelled(scene: Scene, stage: str) -> None:
    """Cancel a task at a stage, then run another one on the same worker."""
    if stage in ("queueing", "queued"):
        scene.first.control.set("hang", jobs=1)
    with at_stage(scene, stage) as (worker, release, engine):
        if stage == "finished":
            with pytest.raises(InvalidTask):
                scene.cloud.cancel(TASK)
        else:
            scene.cloud.cancel(TASK)
        if stage != "running":
            release()
        check_outcome(scene, POSSIBLE[stage])
        assert engine.forwarded["POST /prompt"] == (stage not in NOT_SENT)
        scene.submit("next")
        assert scene.cloud.outcome("next").status is COMPLETED
        scene.check(scene.cloud.row("next"))
        wait_until_removed(scene)
        assert worker.returncode is None


@pytest.mark.long
def test_a_queued_comfyui_task_that_is_cancelled_is_never_sent(open_scene: OpenScene) -> None:
    with open_scene("comfyui", "waiting") as scene:
        assert isinstance(scene, ComfyUiScene)
        scene.submit(TASK)
        assert scene.cloud.cancel(TASK).status is CANCELLED
        with process(scene.cloud, scene.first.url, **scene.settings(scene.first)):
            check_outcome(scene, {CANCELLED})
        assert scene.prompt_count() == 0
        wait_until_removed(scene)


def check_outcome(scene: Scene, possible: set[Status]) -> Row:
    """Assert that row, callbacks and objects show the same one of the possible outcomes."""
    cloud = scene.cloud
    cloud.outcome(TASK)
    cloud.wait_until_empty()
    cloud.receive_callbacks()
    row = cloud.row(TASK)
    assert row.status in possible, row.item
    assert {one["status"] for one in cloud.callbacks_by_task[TASK]} == {row.status.value}
    cloud.wait_until(lambda: cloud.has_exactly_its_objects(cloud.row(TASK)))
    if row.status is COMPLETED:
        scene.check(row)
    return row
