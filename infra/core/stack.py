"""The core stack: everything except the GPUs."""

from functools import partial
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from domain.keys import ARCHIVE_PREFIX, CONTENT_PREFIX, REPORT_PREFIX
from domain.limits import API_TIMEOUT_SECONDS, LARGE_CONTENT_DAYS, ROW_DAYS
from domain.metrics import namespace_of
from infra.assets import WEBHOOK_LOCK, function_code
from infra.core.bucket import Bucket
from infra.core.console import Console
from infra.core.resources import CoreResources
from infra.core.rest_api import RestApi
from infra.core.task_table import TaskTable
from infra.core.task_topic import DEAD_LETTER_TIMEOUT_SECONDS, TaskTopic
from infra.core.webhooks import Webhooks
from infra.function import Function, log_retention
from infra.monitoring.core_alarms import CoreAlarms
from infra.monitoring.dashboard import Dashboard
from infra.monitoring.monitored import Monitored
from infra.runtime_types.base import Runtime
from infra.settings.deployment import Settings
from runtimes.base import all_folders
from runtimes.registry import RUNTIME_TYPES

# As long as the row that records the task's outcome. Large contents are kept for less time
# (`LARGE_CONTENT_DAYS`), so an operator should redrive within a week.
ARCHIVE_DAYS: Final = ROW_DAYS

SWEEP_TIMEOUT_SECONDS: Final = 120
# The sweep looks for tasks that have been stuck for minutes; running it more often would not find them
# sooner.
SWEEP_EVERY_MINUTES: Final = 5


class CoreStack(cdk.Stack):
    """API, topics, queues, state and buckets; it can be deployed to AWS and to the emulator."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, id_, description="sd-on-ecs: API, topics, queues, state, buckets", **kwargs)
        self.settings = settings
        self.tasks = TaskTopic(self, "Tasks", runtimes=[runtime.name for runtime in settings.models_runtime])
        self.results = sns.Topic(self, "Results", enforce_ssl=True)
        self.table = TaskTable(self, "State")
        self.output = Bucket(
            self, "Output", expires_after_days=_expire_all_after(settings.outputs.expire_days)
        ).bucket
        self.uploads = Bucket(
            self, "Uploads", expires_after_days=_expire_all_after(settings.uploads.expire_days)
        ).bucket
        self.large_tasks = Bucket(
            self,
            "LargeTasks",
            expires_after_days={CONTENT_PREFIX: LARGE_CONTENT_DAYS, ARCHIVE_PREFIX: ARCHIVE_DAYS},
        ).bucket
        self.models = self._model_bucket()
        self._code = function_code()
        self.webhooks = Webhooks(
            self,
            "Webhooks",
            topic=self.results,
            table=self.table.table,
            outputs=self.output,
            undelivered=self.tasks.undelivered,
            create_function=partial(
                self._function,
                handler="functions.webhooks.handler.handler",
                code=function_code(WEBHOOK_LOCK),
            ),
            allow_http=settings.webhooks.allow_http,
        )
        self.api_function = self._api_function()
        self.sweep = self._sweep()
        self.dead_letters = self._dead_letters()
        console = None
        if settings.apigw.console:
            console = Console(self, "Console", output=self.output, uploads=self.uploads, settings=settings)
        self.api = RestApi(
            self,
            "Front",
            function=self.api_function.entry,
            wait_function=self._wait_function().entry,
            console_function=console.entry if console else None,
            settings=settings.apigw,
            log_retention=log_retention(settings),
            tracing=settings.tracing,
        )
        if console:
            console.allow_origin_of(self.api)
        monitored = Monitored(
            stack_name=settings.stack_name,
            api=self.api.api,
            access_log=self.api.access_log,
            api_function=self.api_function,
            sweep=self.sweep,
            dead_letters=self.dead_letters,
            webhooks=self.webhooks.function,
            queues=self.tasks.queues,
        )
        self.alarms = CoreAlarms(self, "Alarms", monitored=monitored, settings=settings.alarms)
        alarms = self.alarms.alarms if settings.alarms.enabled else None
        self.dashboard = Dashboard(self, "Dashboard", monitored=monitored, alarms=alarms)
        self.resources = CoreResources(
            task_topic=self.tasks.topic,
            queues=self.tasks.queues,
            dead_letter_queues=self.tasks.dead_letter_queues,
            result_topic=self.results,
            table=self.table.table,
            output_bucket=self.output,
            upload_bucket=self.uploads,
            large_task_bucket=self.large_tasks,
            model_bucket=self.models,
            alarm_topic=self.alarms.topic,
        )
        self._outputs()

    def _model_bucket(self) -> s3.IBucket:
        if self.settings.model_bucket_arn:
            return s3.Bucket.from_bucket_arn(self, "Models", self.settings.model_bucket_arn)
        return Bucket(self, "Models").bucket

    def _function(self, id_: str, *, handler: str, timeout_seconds: int, **kwargs: Any) -> Function:
        environment = {
            "TASK_TOPIC_ARN": self.tasks.topic.topic_arn,
            "RESULT_TOPIC_ARN": self.results.topic_arn,
            "OUTPUT_BUCKET": self.output.bucket_name,
            "TASK_BUCKET": self.large_tasks.bucket_name,
            "TASK_TABLE": self.table.table.table_name,
            "METRICS_NAMESPACE": namespace_of(self.settings.stack_name),
            "RUNTIMES": self.to_json_string(
                [self._runtime(runtime) for runtime in self.settings.models_runtime]
            ),
        }
        environment |= kwargs.pop("environment", {})
        return Function(
            self,
            id_,
            code=kwargs.pop("code", self._code),
            handler=handler,
            environment=environment,
            timeout_seconds=timeout_seconds,
            log_level=self.settings.log_level,
            log_retention=log_retention(self.settings),
            tracing=self.settings.tracing,
            **kwargs,
        )

    def _runtime(self, runtime: Runtime) -> dict[str, Any]:
        return runtime.as_domain(queue_url=self.tasks.queues[runtime.name].queue_url).as_dict()

    def _api_function(self) -> Function:
        function = self._function(
            "ApiFunction",
            handler="functions.api.handler.handler",
            timeout_seconds=API_TIMEOUT_SECONDS,
            environment={
                "UPLOAD_BUCKET": self.uploads.bucket_name,
                "LIMITS": self.settings.limits.as_domain().to_json(),
                "MODEL_BUCKET": self.models.bucket_name,
                "WEBHOOK_QUEUE_URL": self.webhooks.queue.queue_url,
                "WEBHOOKS_ALLOW": self.webhooks.allow,
            },
            # A body of 6 MB is parsed, checked and hashed; a function has a whole vCPU from 1,769 MiB.
            memory_mib=1769,
            snap_start=self.settings.apigw.snap_start,
            reserved_concurrency=self.settings.apigw.reserved_concurrency,
        )
        table = self.table.table.table_arn
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=table)
        function.allow("dynamodb:Query", on=self.table.index_arns)
        function.allow("sns:Publish", on=[self.tasks.topic.topic_arn, self.results.topic_arn])
        function.allow("sqs:GetQueueAttributes", on=[queue.queue_arn for queue in self.tasks.queues.values()])
        function.allow("sqs:SendMessage", on=self.webhooks.queue.queue_arn)
        function.allow("s3:PutObject", on=self.large_tasks.arn_for_objects(f"{CONTENT_PREFIX}*"))
        function.allow("s3:PutObject", on=self.uploads.arn_for_objects("*"))
        function.allow("s3:GetObject", on=self.large_tasks.arn_for_objects(f"{REPORT_PREFIX}*"))
        # To list models and check that they exist; with `modelBucketArn` the bucket may contain more.
        prefixes = [f"{folder}/*" for folder in _model_folders()]
        function.allow("s3:ListBucket", on=self.models.bucket_arn, if_like={"s3:prefix": prefixes})
        # Presigned links to a task's images work only if the function itself may read them.
        self._allow_orphan_cleanup(function)
        return function

    def _wait_function(self) -> Function:
        """Create the function for requests that wait, with the API's code."""
        function = self._function(
            "WaitFunction",
            handler="functions.api.handler.handler",
            timeout_seconds=API_TIMEOUT_SECONDS,
            environment={"UPLOAD_BUCKET": self.uploads.bucket_name},
            memory_mib=256,
        )
        function.allow("dynamodb:GetItem", on=self.table.table.table_arn)
        function.allow("dynamodb:Query", on=self.table.index_arns)
        function.allow("s3:GetObject", on=self.output.arn_for_objects("*"))
        return function

    def _sweep(self) -> Function:
        function = self._function(
            "Sweep",
            handler="functions.sweep.handler.handler",
            timeout_seconds=SWEEP_TIMEOUT_SECONDS,
        )
        function.allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=self.table.table.table_arn)
        function.allow("dynamodb:Query", on=self.table.index_arns)
        function.allow("sns:Publish", on=[self.tasks.topic.topic_arn, self.results.topic_arn])
        function.allow("sqs:GetQueueAttributes", on=[queue.queue_arn for queue in self.tasks.queues.values()])
        self._allow_orphan_cleanup(function)
        schedule = events.Schedule.rate(cdk.Duration.minutes(SWEEP_EVERY_MINUTES))
        # The next scheduled run replaces a retry.
        target = targets.LambdaFunction(function.entry, retry_attempts=0)
        events.Rule(self, "SweepSchedule", schedule=schedule, targets=[target])
        return function

    def _dead_letters(self) -> Function:
        function = self._function(
            "DeadLetters",
            handler="functions.dead_letters.handler.handler",
            timeout_seconds=DEAD_LETTER_TIMEOUT_SECONDS,
        )
        table = self.table.table.table_arn
        function.allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=table)
        function.allow("sns:Publish", on=self.results.topic_arn)
        self._allow_orphan_cleanup(function)
        function.allow("s3:PutObject", on=self.large_tasks.arn_for_objects(f"{ARCHIVE_PREFIX}*"))
        for queue in (*self.tasks.dead_letter_queues.values(), self.tasks.undelivered):
            function.function.add_event_source(
                sources.SqsEventSource(queue, batch_size=10, report_batch_item_failures=True)
            )
        return function

    def _allow_orphan_cleanup(self, function: Function) -> None:
        """Allow a function that sends callbacks to delete orphaned objects (`adapters.orphans`)."""
        function.allow("s3:GetObject", "s3:DeleteObject", on=self.output.arn_for_objects("*"))
        function.allow("s3:ListBucket", on=self.output.bucket_arn)

    def _webhook_secret_command(self) -> str:
        query = "join('', ['whsec_', SecretString])"
        arn = self.webhooks.secret.secret_arn
        return f'aws secretsmanager get-secret-value --secret-id {arn} --query "{query}" --output text'

    def _outputs(self) -> None:
        queue_urls = {name: queue.queue_url for name, queue in self.tasks.queues.items()}
        outputs = {
            # The next four have the names that AWS's Guidance (sd-on-eks) uses.
            "FrontApiEndpoint": self.api.api.url,
            "GetAPIKeyCommand": _key_command(self.api.key),
            "GetWebhookSecretCommand": self._webhook_secret_command(),
            "WebhookSecret": self.webhooks.secret.secret_arn,
            "OutputS3Bucket": self.output.bucket_name,
            "sdNotificationOutputArn": self.results.topic_arn,
            "TaskTable": self.table.table.table_name,
            "ApiKeyId": self.api.key.key_id,
            "TaskTopicArn": self.tasks.topic.topic_arn,
            "UploadBucket": self.uploads.bucket_name,
            "ModelBucket": self.models.bucket_name,
            "DashboardUrl": self.dashboard.url,
            "AlarmTopicArn": self.alarms.topic.topic_arn,
            "LargeTaskBucket": self.large_tasks.bucket_name,
            # {runtime: URL} in JSON, because names of runtimes may contain characters that names of outputs
            # may not.
            "TaskQueues": self.to_json_string(queue_urls),
        }
        for name, key in self.api.further_keys.items():
            outputs[f"Get{name[0].upper()}{name[1:]}APIKeyCommand"] = _key_command(key)
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)


def _key_command(key: apigateway.IApiKey) -> str:
    """Return the command that prints a key, which no output contains."""
    return f"aws apigateway get-api-key --api-key {key.key_id} --include-value --query value --output text"


def _model_folders() -> list[str]:
    """Return the folders of the model bucket that any runtime type reads."""
    folders = [folder for type_ in RUNTIME_TYPES.values() for folder in all_folders(type_)]
    return list(dict.fromkeys(folders))


def _expire_all_after(days: int | None) -> dict[str, int]:
    """Return the lifetimes of a bucket whose objects all live for that many days, or for ever."""
    return {} if days is None else {"": days}
