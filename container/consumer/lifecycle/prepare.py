"""Read and check the content of a claimed task, and prepare its request."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from container.consumer.engines.base import Engine
from container.consumer.job import Job
from domain.body import check_values, load_json
from domain.envelope import task_type_faults
from domain.errors import ErrorCode, InvalidTask, PermanentError
from domain.keys import split_s3_uri
from domain.limits import Limits
from domain.routing import Runtime
from domain.task import Task
from runtimes.base import RuntimeType

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_FAULTS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparer:
    """Reads a task's content, checks it by its runtime type's rules, and has the engine build the request."""

    s3: "S3Client"
    task_bucket: str
    engine: Engine
    rules: RuntimeType
    runtime: Runtime
    limits: Limits
    shutting_down: threading.Event

    def prepare(self, job: Job) -> None:
        """Prepare `job` to run; raise PermanentError, RetryableError, or botocore's errors."""
        with job.timed("prepare"):
            if job.message.content_ref is not None:
                job.message = job.message.with_content(self._large_content(job.message.content_ref))
            task = job.message.task
            content = self.rules.settled(self._checked(task), job.message.submission_id)
            job.message = job.message.with_content(content)
            job.kind = self.rules.kind(task.tasktype, content)
            # Jobs without sampling steps have no cost and are treated as equal.
            job.cost = self.rules.cost(task.tasktype, content) or 1.0
            job.set_request(
                self.engine.prepare(job.message.task, lambda: job.should_stop or self.shutting_down.is_set())
            )

    def _checked(self, task: Task) -> dict[str, Any]:
        """Check the content again, because messages can come from anywhere and settings may have changed."""
        unknown = task_type_faults(task.tasktype, self.rules.task_types, "/tasktype")
        checked = self.rules.validate(
            None if unknown else task.tasktype, task.content, self.runtime, self.limits
        )
        if faults := [*unknown, *checked.faults]:
            text = "; ".join(f"{fault.path}: {fault.message}" for fault in faults[:MAX_FAULTS_SHOWN])
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        return checked.content

    def _large_content(self, reference: str) -> dict[str, Any]:
        try:
            bucket, key = split_s3_uri(reference)
        except ValueError:
            bucket, key = "", ""
        if not self.task_bucket or bucket != self.task_bucket:
            raise PermanentError(ErrorCode.INVALID_CONTENT, "content_ref is not in the large-task bucket.")
        try:
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            raise PermanentError(
                ErrorCode.INVALID_CONTENT, "The task's content was deleted from the large-task bucket."
            ) from None
        try:
            content = load_json(body.decode())
            check_values(content)
        except (ValueError, RecursionError, InvalidTask) as error:
            raise PermanentError(ErrorCode.INVALID_CONTENT, f"The task's content: {error}") from None
        if not isinstance(content, dict):
            raise PermanentError(ErrorCode.INVALID_CONTENT, "The task's content is not a JSON object.")
        return content
