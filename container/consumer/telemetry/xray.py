"""X-Ray segments of the consumer: one for each job, with a subsegment for each stage.

They are sent with `PutTraceSegments`, because X-Ray's own SDK and daemon are in maintenance mode. A trace is
worth less than a task, so segments that cannot be sent are discarded and no error is raised.
"""

import json
import logging
import queue
import secrets
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.job import Job

if TYPE_CHECKING:
    from mypy_boto3_xray import XRayClient

MAX_WAITING: Final = 200
"""How many segments may wait to be sent; further ones are discarded."""

MAX_BATCH: Final = 25
"""Segments per call, a few hundred bytes each; X-Ray's daemon sends up to 50."""

_STATUSES_WITHOUT_FAULT: Final = frozenset({"completed", "cancelled"})
_log = logging.getLogger(__name__)


def trace_header(job: Job) -> dict[str, str]:
    """Return the fields of a task's trace header, or `{}` if it has none.

    The message's attribute is preferred, because X-Ray then shows the publish as parent. The copy in the body
    is used if the attribute was lost on the way.
    """
    text = job.delivery.trace or job.message.trace or ""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if value}


def segment(job: Job, header: dict[str, str], *, ended_at: float, status: str, code: str) -> dict[str, Any]:
    """Return the segment of a job as defined in AWS's "X-Ray segment documents"."""
    document: dict[str, Any] = {
        "name": f"consumer {job.message.task.runtime}",
        "id": secrets.token_hex(8),
        "trace_id": header["Root"],
        "start_time": job.claimed_at,
        "end_time": ended_at,
        # Annotations are searchable in X-Ray; they contain names only.
        "annotations": {
            "task_id": job.id,
            "runtime": job.message.task.runtime,
            "submission_id": job.row.submission_id,
            "status": status,
        }
        | ({"code": code} if code else {}),
        "subsegments": [
            {
                "name": stage.name,
                "id": secrets.token_hex(8),
                "start_time": stage.started_at,
                "end_time": stage.started_at + stage.seconds,
            }
            for stage in job.stages
        ],
    }
    if "Parent" in header:
        document["parent_id"] = header["Parent"]
    if status not in _STATUSES_WITHOUT_FAULT:
        document["fault"] = True
    return document


class Tracer:
    """Sends segments in batches, in a separate thread."""

    def __init__(self, client: "XRayClient") -> None:
        self._client = client
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WAITING)
        threading.Thread(target=self._run, name="traces", daemon=True).start()

    def send(self, job: Job, *, status: str, code: str = "") -> None:
        """Queue the segment of a job that has ended, if the caller's trace is sampled."""
        header = trace_header(job)
        if header.get("Sampled") != "1" or "Root" not in header:
            return
        document = segment(job, header, ended_at=time.time(), status=status, code=code)
        with suppress(queue.Full):
            self._waiting.put_nowait(json.dumps(document))

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            with suppress(queue.Empty):
                while len(batch) < MAX_BATCH:
                    batch.append(self._waiting.get_nowait())
            try:
                self._client.put_trace_segments(TraceSegmentDocuments=batch)
            except (ClientError, BotoCoreError) as error:
                _log.debug("%d segments were not sent: %s", len(batch), type(error).__name__)
