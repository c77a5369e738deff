"""The CloudWatch dashboard: health, waiting times, GPU use and failures."""

from collections.abc import Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from domain import metrics as m
from domain.metrics import Metric, namespace_of
from infra.monitoring.metrics import PERIOD_SECONDS, own_metric
from infra.monitoring.monitored import Monitored
from infra.monitoring.names import WORKER_ALARM_KINDS, alarm_name, worker_log_group_name

_WIDTH: Final = 24
_HEIGHT: Final = 6
_CHINA: Final = "cn-"


class Dashboard(Construct):
    """A dashboard of one page; `url` is its address in the console. `alarms` is None if they are disabled."""

    def __init__(
        self, scope: Construct, id_: str, *, monitored: Monitored, alarms: Sequence[cloudwatch.IAlarm] | None
    ) -> None:
        super().__init__(scope, id_)
        self._stack = cdk.Stack.of(self)
        self._monitored = monitored
        self._own_alarms = alarms
        self._name = monitored.stack_name
        self._runtimes = list(monitored.queues)
        # Names of dashboards are unique in an account, not only in a region.
        name = f"{self._name}-{self._stack.region}"
        self._dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=name, default_interval=cdk.Duration.hours(3)
        )
        self._add_health()
        self._add_waiting_times()
        self._add_gpu_use()
        self._add_failures()
        self.url = _console_url(self._stack, f"dashboards/dashboard/{name}")

    def _add_health(self) -> None:
        api = self._monitored.api
        period = cdk.Duration.seconds(PERIOD_SECONDS)
        self._add_title("Is it working?", self._links())
        if self._own_alarms is not None:
            alarms = self._alarms(self._own_alarms)
            self._add_row(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_WIDTH, height=4))
        self._add_row(
            self._graph(
                "Tasks accepted and finished",
                *self._sum_per_runtime(m.ACCEPTED),
                *self._sum_per_runtime(m.COMPLETED),
                *self._sum_per_runtime(m.FAILED),
                *self._sum_per_runtime(m.CANCELLED),
            ),
            self._graph("Rejected submits, by code", self._search_all(m.REJECTED, m.CODE)),
            self._graph(
                "API: requests and errors",
                api.metric_count(statistic="Sum", period=period),
                api.metric_client_error(statistic="Sum", period=period, label="4xx"),
                api.metric_server_error(statistic="Sum", period=period, label="5xx"),
            ),
            self._graph(
                "API: milliseconds",
                api.metric_latency(statistic="p50", period=period, label="p50"),
                api.metric_latency(statistic="p99", period=period, label="p99"),
            ),
        )

    def _add_waiting_times(self) -> None:
        queues = self._monitored.queues
        period = cdk.Duration.seconds(PERIOD_SECONDS)
        self._add_title("How long do tasks wait?")
        self._add_row(
            self._graph(
                "Oldest task, seconds",
                *(
                    queue.metric_approximate_age_of_oldest_message(
                        statistic="Maximum", period=period, label=runtime
                    )
                    for runtime, queue in queues.items()
                ),
            ),
            self._graph(
                "Waiting tasks",
                *(
                    queue.metric_approximate_number_of_messages_visible(
                        statistic="Maximum", period=period, label=runtime
                    )
                    for runtime, queue in queues.items()
                ),
            ),
            self._graph(
                "From submit to claim, seconds", *self._per_runtime(m.QUEUED_SECONDS, ("p50", "p99"))
            ),
            self._graph(
                "From submit to outcome, seconds", *self._per_runtime(m.END_TO_END_SECONDS, ("p50", "p99"))
            ),
        )

    def _add_gpu_use(self) -> None:
        self._add_title("What do the GPUs do?")
        minutes = PERIOD_SECONDS // 60
        consumer_counts = [
            cloudwatch.MathExpression(
                expression=f"sum{index} / {minutes}",
                using_metrics={f"sum{index}": own_metric(self._name, m.CONSUMERS, "Sum", runtime=runtime)},
                label=runtime,
                period=cdk.Duration.seconds(PERIOD_SECONDS),
            )
            for index, runtime in enumerate(self._runtimes)
        ]
        self._add_row(
            self._graph("Running consumers", *consumer_counts),
            self._graph("Busy seconds per minute (average consumer)", *self._per_runtime(m.GPU_BUSY_SECONDS)),
            self._graph("Idle seconds per minute while tasks waited", *self._per_runtime(m.GPU_IDLE_SECONDS)),
            self._graph("Wasted GPU seconds", *self._sum_per_runtime(m.WASTED_GPU_SECONDS)),
        )
        stages = (m.PREPARE_SECONDS, m.MODEL_LOAD_SECONDS, m.INFERENCE_SECONDS, m.STORE_SECONDS)
        self._add_row(
            self._graph(
                "Seconds per stage", *(metric for stage in stages for metric in self._per_runtime(stage))
            ),
            self._graph("Images", *self._sum_per_runtime(m.IMAGES)),
            self._graph("Model switches", *self._sum_per_runtime(m.MODEL_SWITCHES)),
            self._graph(
                "GPU memory, megabytes",
                *self._per_runtime(m.GPU_MEMORY_USED, ("Maximum",)),
                *self._per_runtime(m.GPU_MEMORY_FREE, ("Minimum",)),
            ),
        )

    def _add_failures(self) -> None:
        self._add_title("What fails, and why?")
        self._add_row(
            self._graph(
                "Failed tasks, by runtime and code", self._search_all(m.FAILURES_BY_CODE, m.RUNTIME, m.CODE)
            ),
            self._graph("Retried tasks", *self._sum_per_runtime(m.RETRIED)),
            self._graph("Dead-lettered messages", self._search_all(m.DEAD_LETTERED, m.RUNTIME)),
            self._graph(
                "Webhooks delivered and given up",
                *self._sum_per_runtime(m.WEBHOOKS_DELIVERED),
                self._search_all(m.WEBHOOKS_GIVEN_UP, m.RUNTIME),
            ),
            self._graph(
                "Tasks found by the sweep, and unhealthy engines",
                self._search_all(m.SWEPT, m.RUNTIME, m.ACTION),
                *self._sum_per_runtime(m.ENGINE_UNHEALTHY),
            ),
        )
        monitored = self._monitored
        functions = (monitored.api_function, monitored.sweep, monitored.dead_letters, monitored.webhooks)
        self._dashboard.add_widgets(
            cloudwatch.LogQueryWidget(
                title="Latest warnings and errors of the functions",
                log_group_names=[function.log_group.log_group_name for function in functions],
                query_lines=[
                    "fields @timestamp, level, message, task_id, runtime, error_type, aws_code",
                    'filter level = "ERROR" or level = "WARNING"',
                    "sort @timestamp desc",
                    "limit 20",
                ],
                width=_WIDTH,
                height=_HEIGHT,
            )
        )

    def _links(self) -> str:
        monitored = self._monitored
        groups = {
            "API": monitored.api_function.log_group.log_group_name,
            "API Gateway": monitored.access_log.log_group_name,
            "sweep": monitored.sweep.log_group.log_group_name,
            "dead letters": monitored.dead_letters.log_group.log_group_name,
            "webhooks": monitored.webhooks.log_group.log_group_name,
        } | {f"workers of {name}": worker_log_group_name(self._name, name) for name in self._runtimes}
        links = " · ".join(f"[{name}]({_log_link(self._stack, group)})" for name, group in groups.items())
        return f"Logs: {links}. docs/operations.md explains each alarm and what to do."

    def _alarms(self, core: Sequence[cloudwatch.IAlarm]) -> list[cloudwatch.IAlarm]:
        all_alarms: list[cloudwatch.IAlarm] = list(core)
        if self._stack.region.startswith(_CHINA):  # China regions have no compute stack
            return all_alarms
        all_alarms.append(self._compute_stack_alarm("ScalerErrors"))
        all_alarms += [
            self._compute_stack_alarm(kind, runtime)
            for runtime in self._runtimes
            for kind in WORKER_ALARM_KINDS
        ]
        return all_alarms

    def _compute_stack_alarm(self, kind: str, runtime: str | None = None) -> cloudwatch.IAlarm:
        """Return an alarm of the compute stack, which is deployed after this one."""
        arn = self._stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=alarm_name(self._name, kind, runtime),
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        return cloudwatch.Alarm.from_alarm_arn(self, alarm_name(kind, runtime or "all"), arn)

    def _add_title(self, title: str, text: str = "") -> None:
        self._dashboard.add_widgets(
            cloudwatch.TextWidget(
                markdown=f"## {title}\n{text}".strip(), width=_WIDTH, height=2 if text else 1
            )
        )

    def _add_row(self, *widgets: cloudwatch.IWidget) -> None:
        self._dashboard.add_widgets(*widgets)

    def _graph(self, title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=list(metrics),
            left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
            width=_WIDTH // 4,
            height=_HEIGHT,
        )

    def _sum_per_runtime(self, definition: Metric) -> list[cloudwatch.IMetric]:
        return list(self._per_runtime(definition, ("Sum",)))

    def _per_runtime(
        self, definition: Metric, statistics: tuple[str, ...] = ("Average",)
    ) -> list[cloudwatch.IMetric]:
        return [
            own_metric(
                self._name,
                definition,
                statistic,
                label=f"{runtime} {definition.name} {statistic}",
                runtime=runtime,
            )
            for runtime in self._runtimes
            for statistic in statistics
        ]

    def _search_all(self, definition: Metric, *dimensions: str) -> cloudwatch.MathExpression:
        """Return all metrics with this name, because error codes are known only once they occur."""
        if sorted(dimensions) not in [sorted(names) for names in definition.dimension_sets]:
            raise ValueError(f"{definition.name} is not emitted with the dimensions {sorted(dimensions)}")
        schema = ",".join(f'"{name}"' for name in (namespace_of(self._name), *dimensions))
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{{{schema}}} MetricName=\"{definition.name}\"', 'Sum', {PERIOD_SECONDS})",
            using_metrics={},
            label="",
            period=cdk.Duration.seconds(PERIOD_SECONDS),
        )


def _console_url(stack: cdk.Stack, page: str) -> str:
    region = stack.region
    host = "console.amazonaws.cn" if region.startswith(_CHINA) else f"{region}.console.aws.amazon.com"
    return f"https://{host}/cloudwatch/home?region={region}#{page}"


def _log_link(stack: cdk.Stack, log_group_name: str) -> str:
    # The console requires slashes to be escaped twice.
    return _console_url(stack, f"logsV2:log-groups/log-group/{log_group_name.replace('/', '$252F')}")
