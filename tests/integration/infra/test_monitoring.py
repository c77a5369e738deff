"""The dashboard and the alarms match the metrics in the code and the documentation."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk
import pytest

from domain import metrics as m
from domain.metrics import METRICS, Metric
from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.settings.reading import parse
from tests.support.documents import DOCUMENTS
from tests.support.synthesis import ROOT, Synthesis
from tests.support.template import Template

NAMESPACE: Final = "sd-on-ecs/sdonecs"
MANUAL: Final = ROOT / "docs" / "operations.md"
BY_NAME: Final = {metric.name: metric for metric in METRICS}

pytestmark = pytest.mark.xdist_group("infra")

MetricOnDisplay = tuple[str, frozenset[str]]
"""A metric's name and the names of its dimensions."""


def _resolved_text(value: Any) -> str:
    """Return a template's text with references by name."""
    if isinstance(value, str):
        return value
    (kind, inner), *_ = value.items()
    return "".join(map(_resolved_text, inner[1])) if kind == "Fn::Join" else f"<{kind}>"


def _dashboard_body(core: Template) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(_resolved_text(core.one("CloudWatch::Dashboard")["DashboardBody"]))
    return body


def _alarms(*templates: Template) -> list[dict[str, Any]]:
    return [alarm for template in templates for alarm in template.properties("CloudWatch::Alarm")]


def _metrics_on_alarms(*templates: Template) -> Iterator[MetricOnDisplay]:
    for alarm in _alarms(*templates):
        queries = (query.get("MetricStat", {}).get("Metric", {}) for query in alarm.get("Metrics", []))
        for metric in (alarm, *queries):
            if metric.get("Namespace") == NAMESPACE:
                yield (
                    metric["MetricName"],
                    frozenset(dimension["Name"] for dimension in metric.get("Dimensions", [])),
                )


def _metrics_on_widgets(core: Template) -> Iterator[MetricOnDisplay]:
    for widget in _dashboard_body(core)["widgets"]:
        for entry in widget["properties"].get("metrics", []):
            if entry[0] == NAMESPACE:
                names = [part for part in entry[2:] if isinstance(part, str)]
                yield entry[1], frozenset(names[::2])
            if isinstance(entry[0], dict) and "expression" in entry[0]:
                for schema, name in re.findall(
                    r"SEARCH\('\{(.*?)\} MetricName=\"(\w+)\"'", entry[0]["expression"]
                ):
                    namespace, *dimensions = (part.strip('"') for part in schema.split(","))
                    assert namespace == NAMESPACE
                    yield name, frozenset(dimensions)


def _emitted_metrics() -> set[str]:
    """Return the metrics that the code names: as an import, or as `metrics.NAME`."""
    constants = {name: value for name, value in vars(m).items() if isinstance(value, Metric)}
    used: set[str] = set()
    for path in (*Path(ROOT, "functions").rglob("*.py"), *Path(ROOT, "container").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in {"m", "metrics"}
            ):
                used.add(node.attr)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add(node.id)
    return {constants[name].name for name in used & constants.keys()}


def test_the_dashboard_shows_exactly_the_metrics_that_are_emitted(core: Template, compute: Template) -> None:
    shown_metrics = {*_metrics_on_alarms(core, compute), *_metrics_on_widgets(core)}
    assert {name for name, _ in shown_metrics} == _emitted_metrics() == BY_NAME.keys()
    for name, dimensions in shown_metrics:
        assert dimensions in [frozenset(dimension_set) for dimension_set in BY_NAME[name].dimension_sets], (
            name
        )


def test_every_dimension_set_is_used(core: Template, compute: Template) -> None:
    """CloudWatch bills each set of dimensions as a metric of its own."""
    shown_metrics = {*_metrics_on_alarms(core, compute), *_metrics_on_widgets(core)}
    paid = {
        (metric.name, frozenset(dimension_set))
        for metric in METRICS
        for dimension_set in metric.dimension_sets
    }
    assert paid == shown_metrics


def _alarm_kinds(*templates: Template) -> set[str]:
    """Return the alarms' names without the deployment and the runtime."""
    names = [alarm["AlarmName"] for alarm in _alarms(*templates) if "AlarmName" in alarm]
    pattern = re.compile(r"sdonecs-([A-Za-z]+)(-sdruntime|-sddynamic)?")
    return {match[1] for name in names if (match := pattern.fullmatch(name))}


def test_the_documentation_describes_exactly_the_alarms(core: Template, compute: Template) -> None:
    explained = re.findall(r"^\| `([A-Z]\w+)` \|[^|]{20,}\|[^|]{20,}\|$", MANUAL.read_text(), re.MULTILINE)
    assert sorted(_alarm_kinds(core, compute)) == sorted(explained)
    row = re.compile(rf"^\| `({'|'.join(explained)})` \|", re.MULTILINE)
    others = [path for path in DOCUMENTS if path != MANUAL and row.search(path.read_text(encoding="utf-8"))]
    assert others == []
    named_alarms = [alarm for alarm in _alarms(core, compute) if "AlarmName" in alarm]
    assert all("docs/operations.md" in _resolved_text(alarm["AlarmDescription"]) for alarm in named_alarms)


def test_every_alarm_has_an_action(core: Template, compute: Template) -> None:
    assert {json.dumps(alarm["AlarmActions"]) for alarm in _alarms(core)} == {
        json.dumps([{"Ref": next(iter(core.resources("SNS::Topic", "AlarmsTopic")))}])
    }
    assert all("Metrics" not in alarm for alarm in _alarms(core))
    assert all(alarm["AlarmActions"] for alarm in _alarms(compute))
    assert all(alarm["TreatMissingData"] == "notBreaching" for alarm in _alarms(core, compute))


def test_cloudwatch_may_publish_to_the_topic(core: Template) -> None:
    """The topic has a policy, which replaces the default that allows this."""
    policy = core.one("SNS::TopicPolicy", "AlarmsTopic")["PolicyDocument"]["Statement"]
    allow_statements = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [statement["Principal"] for statement in allow_statements] == [
        {"Service": "cloudwatch.amazonaws.com"}
    ]


def test_the_dashboard_begins_with_alarms_and_has_links_to_all_logs(core: Template) -> None:
    widgets = _dashboard_body(core)["widgets"]
    titles = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    assert [title.split("\n")[0] for title in titles] == [
        "## Is it working?",
        "## How long do tasks wait?",
        "## What do the GPUs do?",
        "## What fails, and why?",
    ]
    assert titles[0].count("](https://") == 7
    (alarms,) = (widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm")
    assert len(alarms) == 8 + 2 * 4  # eight of the deployment, four of each runtime
    ends = [(widget["y"] + widget["height"], widget["x"] + widget["width"]) for widget in widgets]
    assert max(right for _, right in ends) <= 24


def test_the_dashboard_links_to_the_log_groups_of_the_workers(core: Template, compute: Template) -> None:
    (text, *_) = (
        widget["properties"]["markdown"]
        for widget in _dashboard_body(core)["widgets"]
        if widget["type"] == "text"
    )
    for group in compute.properties("Logs::LogGroup"):
        if "LogGroupName" in group:
            assert group["LogGroupName"].replace("/", "$252F") in text


def test_functions_and_workers_write_to_the_namespace_of_the_dashboard(
    core: Template, compute: Template
) -> None:
    for function in core.properties("Lambda::Function"):
        variables = function.get("Environment", {}).get("Variables", {})
        assert variables.get("METRICS_NAMESPACE", NAMESPACE) == NAMESPACE
    for definition in compute.properties("ECS::TaskDefinition"):
        (consumer,) = (
            container for container in definition["ContainerDefinitions"] if container["Name"] == "consumer"
        )
        variables = {variable["Name"]: variable["Value"] for variable in consumer["Environment"]}
        assert (variables["METRICS_NAMESPACE"], variables["TRACING"]) == (NAMESPACE, "true")


def test_the_dashboard_of_a_china_region_has_no_parts_of_the_compute_stack(china: Synthesis) -> None:
    core = china.template("Core")
    (alarms,) = (
        widget["properties"]["alarms"]
        for widget in _dashboard_body(core)["widgets"]
        if widget["type"] == "alarm"
    )
    assert len(alarms) == 7 + 2
    assert "https://console.amazonaws.cn/" in _resolved_text(core.body["Outputs"]["DashboardUrl"]["Value"])


def test_alarms_can_be_turned_off() -> None:
    """The topic remains, for alarms of the operator."""
    text = (ROOT / "config.yaml").read_text() + "\nalarms: {enabled: false}\nAPIGW: {snapStart: false}\n"
    settings, _ = parse(
        text.replace("APIGW:\n  stageName: dev\n  throttle:\n    rateLimit: 30\n    burstLimit: 50\n", "")
    )
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    stack = CoreStack(app, "Core", settings=settings)
    ComputeStack(app, "Compute", settings=settings, core=stack.resources)
    assembly = app.synth()
    core = Template(assembly.get_stack_by_name("Core").template)
    compute = Template(assembly.get_stack_by_name("Compute").template)
    assert core.resources("CloudWatch::Alarm") == {}
    assert len(core.resources("SNS::Topic", "AlarmsTopic")) == 1
    assert [widget["type"] for widget in _dashboard_body(core)["widgets"]].count("alarm") == 0
    assert compute.resources("CloudWatch::Alarm") == {}
    assert core.resources("Lambda::Alias") == {}


def test_tracing_and_mail_are_settings() -> None:
    text = (ROOT / "config.yaml").read_text() + "\ntracing: false\nalarms: {email: ops@example.com}\n"
    settings, _ = parse(text)
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    CoreStack(app, "Core", settings=settings)
    core = Template(app.synth().get_stack_by_name("Core").template)
    modes = {
        function["TracingConfig"]["Mode"] if "TracingConfig" in function else "PassThrough"
        for function in core.properties("Lambda::Function")
    }
    assert "Active" not in modes
    assert core.one("ApiGateway::Stage").get("TracingEnabled") is False
    assert {"ops@example.com"} == {
        subscription["Endpoint"]
        for subscription in core.properties("SNS::Subscription")
        if subscription["Protocol"] == "email"
    }
