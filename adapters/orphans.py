"""Delete stored objects of a task: those that its outcome does not name, or all."""

from typing import TYPE_CHECKING

from domain.keys import SUBMISSION_METADATA, s3_uri
from domain.row import Row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class OrphanCleaner:
    """Deletes objects of finished tasks; needs `s3:ListBucket`, `GetObject`, `DeleteObject` on the bucket."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def delete_orphans(self, row: Row) -> None:
        """Delete this submission's objects that its outcome does not name.

        A task that completed with its first claim has none, and no call is made for it.
        """
        outcome = {row.text("output"), *row.images, *row.other_images}
        self._delete_objects(row, row.orphan_fences, except_for=outcome)

    def delete_all(self, row: Row) -> None:
        """Delete every object of this submission, also those that its outcome names."""
        self._delete_objects(row, row.fences, except_for=set())

    def _delete_objects(self, row: Row, fences: frozenset[str], *, except_for: set[str | None]) -> None:
        for fence in sorted(fences):
            # The delimiter excludes the objects of other tasks whose folder begins with the same text.
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=row.keys.fence_prefix(fence), Delimiter="/"
            )
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            for key in keys:
                uri = s3_uri(self._bucket, key)
                if row.keys.could_have_written(fence, key) and uri not in except_for:
                    self._delete_if_own(row, key)

    def _delete_if_own(self, row: Row, key: str) -> None:
        # An earlier submission of the id may have used the same fence; its images belong to that outcome.
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return
            raise
        if head["Metadata"].get(SUBMISSION_METADATA) == row.submission_id:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
