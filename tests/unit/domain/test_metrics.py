"""The log lines from which CloudWatch reads metrics."""

import json
import math
from datetime import UTC, datetime

import pytest
from jsonschema import ValidationError

from domain import metrics as m
from domain.metrics import METRICS, emf_line
from tests.support.embedded_metrics import Datum, read_metrics

AT = datetime(2026, 11, 22, 18, 0, 0, 250_000, tzinfo=UTC)
FACTS = {"runtime": "sdruntime", "code": "no_images", "action": "notified", "task_id": "a"}


def test_a_line_can_contain_metrics_with_different_dimensions() -> None:
    line = emf_line("ns/x", {m.DEAD_LETTERED: 1, m.STORE_SECONDS: 0.25}, at=AT, properties=FACTS)
    runtime = ("runtime", "sdruntime")
    assert read_metrics(line) == [
        Datum("ns/x", "MessagesDeadLettered", "Count", (), 1),
        Datum("ns/x", "MessagesDeadLettered", "Count", (runtime,), 1),
        Datum("ns/x", "StoreSeconds", "Seconds", (runtime,), 0.25),
    ]
    assert json.loads(line)["_aws"]["Timestamp"] == 1_795_370_400_250
    assert json.loads(line)["task_id"] == "a"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_makes_a_line_that_follows_the_specification(metric: m.Metric) -> None:
    data = read_metrics(emf_line(m.namespace_of("stack"), {metric: 2}, at=AT, properties=FACTS))
    assert [datum.name for datum in data] == [metric.name] * len(metric.dimension_sets)


def test_no_two_metrics_share_a_name() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize(
    ("values", "properties"),
    [
        ({}, FACTS),
        ({m.IMAGES: 1}, {}),
        ({m.IMAGES: 1}, {"runtime": ""}),
        ({m.FAILURES_BY_CODE: 1}, {"runtime": "r"}),
        ({m.IMAGES: math.nan}, FACTS),
        ({m.IMAGES: math.inf}, FACTS),
    ],
)
def test_a_line_that_cloudwatch_would_ignore_is_an_error(
    values: dict[m.Metric, float], properties: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"metric|dimension|is (nan|inf)"):
        emf_line("ns", values, at=AT, properties=properties)


@pytest.mark.parametrize(
    "broken",
    [
        {"_aws": {"CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1_795_370_400_250, "CloudWatchMetrics": [{"Namespace": "n", "Metrics": []}]}},
    ],
)
def test_the_schema_refuses_what_the_specification_forbids(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read_metrics(json.dumps(broken))
