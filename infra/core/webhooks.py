"""Delivery of webhooks: a queue of events, a function that delivers them, and the secret that signs."""

import string
from collections.abc import Callable
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.limits import QUEUE_RETENTION_DAYS
from domain.webhook import ATTEMPT_SECONDS, RECORD_PREFIX
from infra.function import Function

ALLOW_LOCAL: Final = "allowLocalWebhooks"
"""Context key that allows receivers on this machine; only the deployment to the emulator sets it."""

# An attempt, and the calls before and after it with their retries.
_TIMEOUT_SECONDS: Final = ATTEMPT_SECONDS + 30
# A receiver that responds slowly occupies one invocation, so that events for others need further ones.
_MAX_CONCURRENCY: Final = 10
# Letters and digits are base64: these are the 24 bytes of a key.
_SECRET_CHARACTERS: Final = 32


class Webhooks(Construct):
    """Events with a webhook, from the results topic to their receivers.

    `allow` is what webhooks may be besides https on the public internet (`domain.webhook.WebhookRules`).
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        topic: sns.ITopic,
        table: dynamodb.ITable,
        outputs: s3.IBucket,
        undelivered: sqs.IQueue,
        create_function: Callable[..., Function],
        allow_http: bool,
    ) -> None:
        super().__init__(scope, id_)
        is_local = self.node.try_get_context(ALLOW_LOCAL) == "true"
        self.allow = "http,private" if is_local else "http" if allow_http else ""
        self.queue = sqs.Queue(
            self,
            "Queue",
            # AWS recommends six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(6 * _TIMEOUT_SECONDS),
            retention_period=cdk.Duration.days(QUEUE_RETENTION_DAYS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        topic.add_subscription(
            subscriptions.SqsSubscription(
                self.queue,
                raw_message_delivery=True,
                filter_policy={"webhook": sns.SubscriptionFilter.exists_filter()},
                dead_letter_queue=undelivered,
            )
        )
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Signs webhooks (Standard Webhooks); shown to receivers with the prefix whsec_",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True,
                exclude_characters=string.punctuation,  # for the emulator, which knows only this way
                password_length=_SECRET_CHARACTERS,
            ),
        )
        self.function = create_function(
            "WebhookFunction",
            timeout_seconds=_TIMEOUT_SECONDS,
            environment={
                "WEBHOOK_QUEUE_URL": self.queue.queue_url,
                "WEBHOOK_SECRET_ARN": self.secret.secret_arn,
                "WEBHOOKS_ALLOW": self.allow,
            },
        )
        self.function.allow("secretsmanager:GetSecretValue", on=self.secret.secret_arn)
        self.function.allow("sqs:ChangeMessageVisibility", on=self.queue.queue_arn)
        # Presigned links work only if the function itself may read the objects.
        self.function.allow("s3:GetObject", on=outputs.arn_for_objects("*"))
        self.function.function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["dynamodb:GetItem", "dynamodb:PutItem"],
                resources=[table.table_arn],
                conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{RECORD_PREFIX}*"]}},
            )
        )
        self.function.function.add_event_source(
            sources.SqsEventSource(
                self.queue, batch_size=1, report_batch_item_failures=True, max_concurrency=_MAX_CONCURRENCY
            )
        )
