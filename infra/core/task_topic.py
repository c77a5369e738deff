"""The SNS topic for tasks, and the SQS queues of the runtimes that subscribe to it."""

from collections.abc import Iterable
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.limits import MAX_RECEIVE_COUNT, QUEUE_RETENTION_DAYS, VISIBILITY_SECONDS

DEAD_LETTER_TIMEOUT_SECONDS: Final = 30
# AWS recommends six times the function's timeout, so that retries of a slow batch do not overlap.
_DEAD_LETTER_VISIBILITY_SECONDS: Final = 6 * DEAD_LETTER_TIMEOUT_SECONDS


class TaskTopic(Construct):
    """The tasks topic with one queue for each runtime, filtered by the message attribute `runtime`.

    `undelivered` is the dead-letter queue of the subscriptions, for messages that SNS could not deliver to a
    queue.
    """

    def __init__(self, scope: Construct, id_: str, *, runtimes: Iterable[str]) -> None:
        super().__init__(scope, id_)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True)
        self.undelivered = _create_dead_letter_queue(self, "Undelivered")
        self.queues: dict[str, sqs.Queue] = {}
        self.dead_letter_queues: dict[str, sqs.Queue] = {}
        for name in runtimes:
            runtime = Construct(self, name)
            dead_letter_queue = _create_dead_letter_queue(runtime, "DeadLetters")
            queue = sqs.Queue(
                runtime,
                "Queue",
                visibility_timeout=cdk.Duration.seconds(VISIBILITY_SECONDS),
                retention_period=cdk.Duration.days(QUEUE_RETENTION_DAYS),
                receive_message_wait_time=cdk.Duration.seconds(20),
                encryption=sqs.QueueEncryption.SQS_MANAGED,
                enforce_ssl=True,
                dead_letter_queue=sqs.DeadLetterQueue(
                    queue=dead_letter_queue, max_receive_count=MAX_RECEIVE_COUNT
                ),
            )
            self.topic.add_subscription(
                subscriptions.SqsSubscription(
                    queue,
                    raw_message_delivery=True,
                    filter_policy={"runtime": sns.SubscriptionFilter.string_filter(allowlist=[name])},
                    dead_letter_queue=self.undelivered,
                )
            )
            self.queues[name] = queue
            self.dead_letter_queues[name] = dead_letter_queue


def _create_dead_letter_queue(scope: Construct, id_: str) -> sqs.Queue:
    return sqs.Queue(
        scope,
        id_,
        visibility_timeout=cdk.Duration.seconds(_DEAD_LETTER_VISIBILITY_SECONDS),
        retention_period=cdk.Duration.days(QUEUE_RETENTION_DAYS),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
