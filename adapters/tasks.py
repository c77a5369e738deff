"""Publish task messages, with content in S3 if it is too large for SNS."""

from dataclasses import replace
from typing import TYPE_CHECKING

from domain.canonical import compact_json
from domain.keys import content_key, s3_uri
from domain.limits import INLINE_CONTENT_BYTES
from domain.message import Message

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient


class Tasks:
    """Publish messages on the tasks topic; `bucket` is the large-task bucket."""

    def __init__(self, sns: "SNSClient", s3: "S3Client", *, topic_arn: str, bucket: str) -> None:
        self._sns = sns
        self._s3 = s3
        self._topic_arn = topic_arn
        self._bucket = bucket

    def move_large_content(self, message: Message) -> Message:
        """Return the message; content that is too large for the topic is stored in S3 and only referenced."""
        content = compact_json(message.task.content)
        if len(content) <= INLINE_CONTENT_BYTES:
            return message
        key = content_key(message.task.id, message.submission_id)
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content.encode(),
            ContentType="application/json",
        )
        return replace(
            message,
            task=replace(message.task, content={}),
            content_ref=s3_uri(self._bucket, key),
        )

    def publish(self, body: str, *, runtime: str, group: str | None) -> None:
        """Publish an encoded message; the subscriptions filter by the attribute `runtime`.

        The queues, which are standard ones, serve messages of different groups fairly.
        """
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=body,
            MessageAttributes={"runtime": {"DataType": "String", "StringValue": runtime}},
            **({"MessageGroupId": group} if group else {}),
        )
