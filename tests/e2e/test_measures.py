"""Metrics and logs of a run: CloudWatch accepts the metrics, lines name the task, and no secret is logged."""

import json
from typing import Any

import pytest

from domain.metrics import METRICS
from local.pipeline import Pipeline
from tests.support import bodies
from tests.support.embedded_metrics import Datum, metric_lines, read_metrics

BY_NAME = {metric.name: metric for metric in METRICS}
RUNTIME = ("runtime", bodies.RUNTIME)


def _consumer_lines(pipeline: Pipeline) -> list[str]:
    (worker,) = (each for each in pipeline.workers if each.runtime.name == bodies.RUNTIME)
    return worker.consumer.lines()


def _function_lines(pipeline: Pipeline) -> list[str]:
    """Return the lines that the Lambdas and API Gateway wrote to CloudWatch Logs."""
    logs = pipeline.aws.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    found: list[str] = []
    for group in groups:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            found += [line for event in page["events"] for line in event["message"].splitlines()]
    return found


def _of(task_id: str, lines: list[str]) -> list[Datum]:
    """Return the metrics of one task."""
    found = [line for line in metric_lines(lines) if json.loads(line).get("task_id") == task_id]
    return [datum for line in found for datum in read_metrics(line)]


def _submit(pipeline: Pipeline, task_id: str, content: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    answer = pipeline.submit(bodies.v1alpha2(task_id, "image-to-image", content, **metadata))
    assert answer.status_code == 200, answer.text
    return pipeline.wait_for_callback(task_id)


def test_a_task_has_each_metric_once_with_unit_and_runtime(pipeline: Pipeline, task_id: str) -> None:
    image = bodies.to_base64(bodies.png())
    assert _submit(pipeline, task_id, bodies.image_to_image(image, batch_size=2))["result"] is True
    measured = {datum.name: datum for datum in _of(task_id, _consumer_lines(pipeline))}
    seconds = {"QueuedSeconds", "PrepareSeconds", "InferenceSeconds", "StoreSeconds", "EndToEndSeconds"}
    counts = {"TasksCompleted": 1, "TasksFailed": 0, "Images": 2}
    # Whether it switched depends on what ran before it here.
    assert measured.keys() - {"ModelSwitches", "ModelLoadSeconds"} == seconds | counts.keys()
    for name, datum in measured.items():
        assert (datum.unit, datum.dimensions) == (BY_NAME[name].unit.value, (RUNTIME,))
    assert {name: measured[name].value for name in counts} == counts
    whole = measured["EndToEndSeconds"].value
    assert all(0 <= measured[name].value <= whole for name in seconds)
    parts = ("QueuedSeconds", "PrepareSeconds", "InferenceSeconds", "StoreSeconds")
    assert sum(measured[name].value for name in parts) <= whole
    accepted = _of(task_id, _function_lines(pipeline))
    assert [(one.name, one.dimensions, one.value) for one in accepted] == [("TasksAccepted", (RUNTIME,), 1)]


def test_a_failure_is_counted_by_its_code_without_gpu_time(pipeline: Pipeline, task_id: str) -> None:
    outcome = _submit(pipeline, task_id, bodies.image_to_image("http://127.0.0.1:1/none.png"))
    code = ("code", outcome["error"]["code"])
    measured = {
        (datum.name, datum.dimensions): datum.value for datum in _of(task_id, _consumer_lines(pipeline))
    }
    assert measured[("FailuresByCode", (code, RUNTIME))] == 1
    assert measured[("TasksFailed", (RUNTIME,))] == 1
    assert not {name for name, _ in measured} & {"TasksCompleted", "Images", "WastedGpuSeconds"}


def test_a_refused_request_is_counted_by_its_code(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), runtime="nobody")
    code = pipeline.submit(body).json()["error"]["code"]
    refused = [one for line in metric_lines(_function_lines(pipeline)) for one in read_metrics(line)]
    assert ("TasksRejected", (("code", code),)) in {(one.name, one.dimensions) for one in refused}


def test_a_consumer_reports_that_it_works_and_how_its_gpu_spent_the_time(pipeline: Pipeline) -> None:
    (worker,) = (each for each in pipeline.workers if each.runtime.name == bodies.RUNTIME)
    line = worker.consumer.wait_for_line("GpuBusySeconds", timeout=60)
    spent = {datum.name: datum.value for datum in read_metrics(line)}
    assert spent.keys() >= {"Consumers", "GpuBusySeconds", "GpuIdleSeconds"}
    assert all(value >= 0 for value in spent.values())


def test_all_metrics_of_a_run_are_valid_and_in_the_list(pipeline: Pipeline, task_id: str) -> None:
    _submit(pipeline, task_id, bodies.image_to_image(bodies.to_base64(bodies.png())))
    lines = _consumer_lines(pipeline) + _function_lines(pipeline)
    data = [datum for line in metric_lines(lines) for datum in read_metrics(line)]
    assert data
    for datum in data:
        known = BY_NAME[datum.name]
        assert datum.unit == known.unit.value
        assert sorted(name for name, _ in datum.dimensions) in [sorted(one) for one in known.dimension_sets]
    assert {datum.namespace for datum in data} == {"sd-on-ecs", "sd-on-ecs/sdonecs"}


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_logged(pipeline: Pipeline, task_id: str, *, fails: bool) -> None:
    """Neither key nor signature, prompt, context, headers or image, whether the task fails or not."""
    image = bodies.to_base64(bodies.png(colour="teal"))
    signed = f"http://127.0.0.1:1/none.png?X-Amz-Signature=feedface{task_id}"
    secret = f"whisper-{task_id[-8:]}"
    content = bodies.image_to_image(
        signed if fails else image, prompt=f"prompt-{secret}", negative_prompt=secret
    )
    _submit(pipeline, task_id, content, context={"token": f"context-{secret}"})
    shown = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").text
    assert "X-Amz-Signature" in shown  # links were made, and are not in the logs
    log = "\n".join(_consumer_lines(pipeline) + _function_lines(pipeline))
    assert task_id in log
    secrets = [pipeline.deployment.api_key, "X-Amz-Signature", "feedface", secret, image[:60], "x-api-key"]
    assert [one for one in secrets if one in log] == []


def test_log_lines_of_the_api_and_the_consumer_identify_the_task_alike(
    pipeline: Pipeline, task_id: str
) -> None:
    _submit(pipeline, task_id, bodies.image_to_image(bodies.to_base64(bodies.png())))
    submission_id = (pipeline.row(task_id) or {})["submission_id"]
    for lines in (_consumer_lines(pipeline), _function_lines(pipeline)):
        about = [json.loads(line) for line in lines if line.startswith("{") and task_id in line]
        assert about
        assert {(one["task_id"], one["submission_id"], one["runtime"]) for one in about} == {
            (task_id, submission_id, bodies.RUNTIME)
        }
