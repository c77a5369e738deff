"""Everything that a claimed task needs before the GPU may have it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.named import hold_names
from container.consumer.engines.sdwebui.request import request_body
from container.consumer.engines.sdwebui.used import asked_sampler
from container.consumer.lifecycle.job import Job
from container.consumer.ports import Inputs, Models
from container.consumer.scheduling.duration import job_cost, job_kind
from domain.body import check_values, load_json
from domain.errors import ErrorCode, InvalidTask, PermanentError
from domain.keys import split_s3_uri
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime
from domain.task import Task
from runtimes.sdwebui.content import ContentCheck

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(slots=True)
class Preparation:
    """Resolve a task's content, check it, fetch its inputs and models, and encode the request."""

    s3: "S3Client"
    task_bucket: str
    runtime: Runtime
    inputs: Inputs
    models: Models
    catalogue: Catalogue
    limits: Limits = DEFAULT_LIMITS

    def prepare(self, job: Job) -> None:
        """Make `job` ready to run; raise PermanentError, RetryableError, or botocore's errors."""
        with job.timed("prepare"):
            if job.message.content_ref is not None:
                job.message = job.message.with_content(self._large_content(job.message.content_ref))
            task = job.message.task
            content, job.warnings = hold_names(task.tasktype, self._checked(task), self.catalogue)
            job.sampler = asked_sampler(content, self.catalogue) if task.tasktype.generates else None
            job.message = job.message.with_content(content)
            job.kind, job.cost = job_kind(task.tasktype, content), job_cost(content)
            content = self.models.ensure(content)  # an upscaler is a model too
            job.body = request_body(task.tasktype, self.inputs.resolve(content))

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
                ErrorCode.INVALID_CONTENT, "The task's content is no longer there."
            ) from None
        try:
            content = load_json(body.decode())
            check_values(content)
        except (ValueError, RecursionError, InvalidTask) as error:
            raise PermanentError(ErrorCode.INVALID_CONTENT, f"The task's content: {error}") from None
        if not isinstance(content, dict):
            raise PermanentError(ErrorCode.INVALID_CONTENT, "The task's content is no object.")
        return content

    def _checked(self, task: Task) -> dict[str, Any]:
        """Check the content as the API did: a message can come from anywhere, and settings may change."""
        check = ContentCheck(task.tasktype, self.runtime, path="", limits=self.limits)
        content = check.normalise(task.content)
        if check.faults:
            told = "; ".join(f"{fault.path}: {fault.message}" for fault in check.faults[:5])
            raise PermanentError(ErrorCode.INVALID_CONTENT, told)
        return content
