"""Alarms without metric math, which the emulator supports too."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from domain import metrics as m
from infra.monitoring.alarm import add_alarm, alarm_topic
from infra.monitoring.metrics import PERIOD_SECONDS, own_metric
from infra.monitoring.monitored import Monitored
from infra.settings.deployment import Alarms


class CoreAlarms(Construct):
    """Alarms about tasks, the API and the functions, sent to `topic`; none if the settings disable them."""

    def __init__(self, scope: Construct, id_: str, *, monitored: Monitored, settings: Alarms) -> None:
        super().__init__(scope, id_)
        self._stack_name = name = monitored.stack_name
        self._enabled = settings.enabled
        self.topic = alarm_topic(self, "Topic", email=settings.email)
        self.alarms: list[cloudwatch.Alarm] = []
        self._add(
            "MessagesDeadLettered",
            metric=own_metric(name, m.DEAD_LETTERED, "Sum"),
            description="Messages reached a dead-letter queue; their tasks failed with task_abandoned.",
        )
        self._add(
            "TasksSwept",
            metric=own_metric(name, m.SWEPT, "Sum"),
            description="The sweep found tasks whose message or callback had not been sent.",
        )
        self._add(
            "ApiErrors",
            metric=monitored.api.metric_server_error(statistic="Sum", period=_period()),
            description="The API responded with status 5xx.",
        )
        self._add(
            "WebhooksGivenUp",
            metric=own_metric(name, m.WEBHOOKS_GIVEN_UP, "Sum"),
            description="Receivers of webhooks did not accept an event for a whole day.",
        )
        functions = {
            "Sweep": (monitored.sweep, "The sweep failed: unsent messages and callbacks stay unsent."),
            "DeadLetters": (
                monitored.dead_letters,
                "The function that processes dead-lettered messages failed.",
            ),
            "Webhook": (monitored.webhooks, "The function that delivers webhooks failed."),
        }
        for kind, (function, description) in functions.items():
            self._add(
                f"{kind}Errors",
                metric=function.function.metric_errors(statistic="Sum", period=_period()),
                description=description,
            )
        for runtime, queue in monitored.queues.items():
            self._add(
                "OldestTask",
                metric=queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=_period()),
                threshold=settings.oldest_task_seconds,
                runtime=runtime,
                description="The oldest task of this runtime has waited too long.",
            )
            self._add(
                "UnhealthyEngines",
                metric=own_metric(name, m.ENGINE_UNHEALTHY, "Sum", runtime=runtime),
                runtime=runtime,
                description="An engine stopped working: it recovered, or its worker had to be replaced.",
            )

    def _add(self, kind: str, **options: Any) -> None:
        if self._enabled:
            alarm = add_alarm(self, kind, stack_name=self._stack_name, topic=self.topic, **options)
            self.alarms.append(alarm)


def _period() -> cdk.Duration:
    return cdk.Duration.seconds(PERIOD_SECONDS)
