"""X-Ray segments of the consumer."""

import json
import queue
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from container.consumer.job import Delivery, Job
from container.consumer.telemetry.logs import log_fields
from container.consumer.telemetry.xray import Tracer, trace_header
from domain.message import Message
from domain.row import Row
from domain.task import Task
from runtimes.sdwebui.task_type import TaskType

TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
HEADER = f"Root={TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1"


class FakeXRay:
    """Records segments; with `fails_once`, the first call is refused."""

    def __init__(self, *, fails_once: bool = False) -> None:
        self.fails_once = fails_once
        self.segments: queue.Queue[dict[str, Any]] = queue.Queue()

    def put_trace_segments(self, *, TraceSegmentDocuments: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's
        """Record the segments."""
        if self.fails_once:
            self.fails_once = False
            self.segments.put({"refused": len(TraceSegmentDocuments)})
            raise ClientError({"Error": {"Code": "ThrottledException"}}, "PutTraceSegments")
        for document in TraceSegmentDocuments:
            assert len(document.encode()) < 64_000
            self.segments.put(json.loads(document))
        return {}


def new_job(*, queue_trace: str | None = None, message_trace: str | None = None) -> Job:
    """Return a job after two stages, with a trace header in an attribute or in the body of its message."""
    task = Task("a", "sdruntime", TaskType.TEXT_TO_IMAGE, "output", None, {"prompt": "secret"}, "v1alpha2")
    message = Message(task, "submission_id", "2026-11-22T18:00:00.000Z", trace=message_trace)
    job = Job(
        Delivery("m", "r", "", trace=queue_trace), message, Row({"id": "a", "submission_id": "submission_id"})
    )
    with job.timed("prepare"):
        pass
    with job.timed("inference"):
        pass
    return job


def test_a_segment_belongs_to_the_trace_of_the_message_and_has_a_subsegment_for_each_stage() -> None:
    xray = FakeXRay()
    Tracer(xray).send(new_job(queue_trace=HEADER), status="completed")  # type: ignore[arg-type]
    segment = xray.segments.get(timeout=10)
    assert (segment["trace_id"], segment["parent_id"]) == (TRACE_ID, "53995c3f42cd8ad8")
    assert re.fullmatch(r"[0-9a-f]{16}", segment["id"])
    assert re.fullmatch(r"[\w .:/%&#=+\\\-@]{1,200}", segment["name"])
    assert segment["start_time"] <= segment["end_time"]
    assert [subsegment["name"] for subsegment in segment["subsegments"]] == ["prepare", "inference"]
    assert all(subsegment["start_time"] <= subsegment["end_time"] for subsegment in segment["subsegments"])
    assert segment["annotations"]["task_id"] == "a"
    assert "fault" not in segment
    assert "secret" not in json.dumps(segment)


@pytest.mark.parametrize("status", ["failed", "released", "lease_lost"])
def test_a_task_without_an_image_is_a_fault(status: str) -> None:
    xray = FakeXRay()
    Tracer(xray).send(new_job(message_trace=HEADER), status=status, code="no_images")  # type: ignore[arg-type]
    segment = xray.segments.get(timeout=10)
    assert segment["fault"] is True
    assert segment["annotations"]["code"] == "no_images"


@pytest.mark.parametrize("header", [None, "", f"Root={TRACE_ID};Sampled=0", "Sampled=1", "garbage;;=;"])
def test_only_sampled_traces_are_sent(header: str | None) -> None:
    xray = FakeXRay()
    tracer = Tracer(xray)  # type: ignore[arg-type]
    tracer.send(new_job(queue_trace=header), status="completed")
    tracer.send(new_job(queue_trace=HEADER), status="cancelled")
    assert xray.segments.get(timeout=10)["annotations"]["status"] == "cancelled"


def test_a_segment_that_cannot_be_sent_is_dropped_and_the_next_one_is_sent() -> None:
    xray = FakeXRay(fails_once=True)
    tracer = Tracer(xray)  # type: ignore[arg-type]
    tracer.send(new_job(queue_trace=HEADER), status="completed")
    assert xray.segments.get(timeout=10) == {"refused": 1}
    tracer.send(new_job(queue_trace=HEADER), status="failed")
    assert xray.segments.get(timeout=10)["annotations"]["status"] == "failed"


def test_log_lines_contain_the_trace_id() -> None:
    """Under the name that Powertools uses in the Lambda functions."""
    assert log_fields(new_job(queue_trace=HEADER, message_trace="Root=1-other"))["xray_trace_id"] == TRACE_ID
    assert "xray_trace_id" not in log_fields(new_job())
    assert trace_header(new_job(message_trace=HEADER))["Sampled"] == "1"
