"""A worker that holds several messages takes groups in turn."""

from local.fakes.sdwebui.process import FakeWebUi
from tests.support import bodies
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer


def test_a_group_with_many_tasks_does_not_keep_another_one_waiting(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    scripts = {"sd_model_checkpoint": bodies.CHECKPOINT}
    for number in range(6):
        cloud.submit(f"{task_id}-many-{number}", group="many", alwayson_scripts=scripts)
    cloud.submit(f"{task_id}-one", group="one", alwayson_scripts=scripts)
    with running_consumer(cloud, webui.url, dynamic_model=True):
        cloud.outcome(f"{task_id}-one")
        for number in range(6):
            cloud.outcome(f"{task_id}-many-{number}")
    prompts = [job["prompt"] for job in webui.control.jobs() if job["prompt"].startswith(task_id)]
    assert prompts.index(f"{task_id}-one") <= 2, prompts
