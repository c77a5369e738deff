"""A password in a link of a task that bypassed the API is never revealed."""

import json
import logging

import pytest

from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer


def test_a_password_in_a_published_task_is_in_no_log_callback_or_output(
    cloud: Cloud, webui: FakeWebUi, task_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="container")
    link = "https://user:hunter2@assets.example.org/cat.png"
    with running_consumer(cloud, webui.url):
        cloud.submit(task_id, tasktype="image-to-image", init_images=[link])
        row = cloud.outcome(task_id)
    assert row.status is Status.FAILED
    assert "inputs.credentials" in row.item["error"]["message"]
    bucket, _, key = str(row.text("output")).removeprefix("s3://").partition("/")
    output = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    visible = json.dumps([row.item, cloud.callbacks_by_task[task_id]], default=str) + output
    assert "hunter2" not in visible + caplog.text
