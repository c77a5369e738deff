"""The content of a claimed task, wherever it lies, made ready for the engine."""

from typing import TYPE_CHECKING, Any

from container.consumer.engines.base import Engine
from container.consumer.lifecycle.job import Job
from domain.body import check_values, load_json
from domain.errors import ErrorCode, InvalidTask, PermanentError
from domain.keys import split_s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Preparer:
    """Read a task's content and have the engine build its request."""

    def __init__(self, s3: "S3Client", task_bucket: str, engine: Engine) -> None:
        self._s3 = s3
        self._task_bucket = task_bucket
        self._engine = engine

    def prepare(self, job: Job) -> None:
        """Set `job.request`; raise PermanentError, RetryableError, or botocore's errors."""
        with job.timed("prepare"):
            if job.message.content_ref is not None:
                job.message = job.message.with_content(self._large_content(job.message.content_ref))
            job.request = self._engine.prepare(job.message.task, lambda: job.stopped)

    def _large_content(self, reference: str) -> dict[str, Any]:
        try:
            bucket, key = split_s3_uri(reference)
        except ValueError:
            bucket, key = "", ""
        if not self._task_bucket or bucket != self._task_bucket:
            raise PermanentError(ErrorCode.INVALID_CONTENT, "content_ref is not in the large-task bucket.")
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
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
