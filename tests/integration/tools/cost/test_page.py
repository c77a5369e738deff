"""docs/cost.md says what the prices, the settings and the templates say."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.metrics import METRICS, Metric, Unit
from infra.settings.deployment import Settings
from infra.settings.reading import load
from tests.support.synthesis import TWO_RUNTIMES
from tools.cdk import ROOT, StepFailed
from tools.cost import prices
from tools.cost.__main__ import CONFIG, PAGE
from tools.cost.at_rest import charges_at_rest, total
from tools.cost.boot import STEPS, TARGET_SECONDS, expected_seconds
from tools.cost.images import MILLION, charges_without_gpu, count_runtime_metrics, gpu_dollars
from tools.cost.markdown import money
from tools.cost.page import SMALL_INSTANCE_TYPE, cost_page
from tools.cost.synthesis import Deployment, synthesize

pytestmark = pytest.mark.xdist_group("cost")


@pytest.fixture(scope="module")
def gateway() -> Deployment:
    return synthesize(CONFIG, nat="gateway")


@pytest.fixture(scope="module")
def instance() -> Deployment:
    return synthesize(CONFIG, nat="instance")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(CONFIG)[0]


def with_another(deployment: Deployment, type_: str, **properties: Any) -> Deployment:
    """Return a deployment whose compute stack has one more resource."""
    core, compute = copy.deepcopy(deployment.templates)
    compute["Resources"]["Another"] = {"Type": type_, "Properties": properties}
    return Deployment((core, compute))


def test_the_page_is_what_prices_settings_and_templates_say(
    settings: Settings, gateway: Deployment, instance: Deployment
) -> None:
    now = cost_page(settings, CONFIG.name, gateway=gateway, instance=instance)
    assert PAGE.read_text(encoding="utf-8") == now, "run `make cost`"


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("AWS::CloudWatch::Alarm", {"MetricName": "another"}),
        ("AWS::EC2::NatGateway", {}),
        ("AWS::EC2::EIP", {}),
        ("AWS::CloudWatch::Dashboard", {}),
        ("AWS::SecretsManager::Secret", {}),
        ("AWS::KMS::Key", {}),
    ],
)
def test_a_resource_that_is_added_changes_the_page(
    settings: Settings, gateway: Deployment, instance: Deployment, type_: str, properties: dict[str, Any]
) -> None:
    before = cost_page(settings, CONFIG.name, gateway=gateway, instance=instance)
    changed_template = with_another(gateway, type_, **properties)
    assert cost_page(settings, CONFIG.name, gateway=changed_template, instance=instance) != before


def test_a_metric_that_is_added_is_counted() -> None:
    another = Metric("Another", Unit.COUNT, "a new one")
    assert count_runtime_metrics((*METRICS, another)) == count_runtime_metrics() + 1


def test_settings_change_the_page(settings: Settings, gateway: Deployment, instance: Deployment) -> None:
    runtime = settings.models_runtime[0].model_copy(update={"idle_instance_seconds": 600})
    slow = settings.model_copy(update={"models_runtime": (runtime,)})
    before, after = (
        cost_page(configuration, CONFIG.name, gateway=gateway, instance=instance)
        for configuration in (settings, slow)
    )
    assert before != after


def test_other_settings_have_their_own_page(gateway: Deployment, tmp_path: Path) -> None:
    """Two runtimes in an existing VPC, whose way out is not part of this deployment."""
    config = tmp_path / "other.yaml"
    other = yaml.safe_load(TWO_RUNTIMES.read_text()) | {"network": {"vpcId": "vpc-0123456789abcdef0"}}
    config.write_text(yaml.safe_dump(other))
    configured, standard = (
        {row.item: row.count for row in charges_at_rest(template)}
        for template in (synthesize(config, nat="instance"), gateway)
    )
    assert configured["alarms"] > standard["alarms"]
    assert "NAT gateway" in standard
    assert [item for item in configured if item.startswith(("NAT", "public IPv4"))] == []


def test_a_file_that_cannot_be_synthesized_says_why(tmp_path: Path) -> None:
    config = tmp_path / "other.yaml"
    config.write_text("modelsRuntime: []")
    with pytest.raises(StepFailed, match="modelsRuntime"):
        synthesize(config)


def test_a_month_at_rest_costs_at_most_55_dollars_or_30_with_a_nat_instance(
    gateway: Deployment, instance: Deployment
) -> None:
    assert total(charges_at_rest(gateway)) <= 55
    assert total(charges_at_rest(instance)) <= 30


@pytest.mark.parametrize(
    ("purchase", "most"), [(prices.ON_DEMAND, 415), (prices.SPOT, 240)], ids=["on-demand", "spot"]
)
def test_a_million_images_cost_at_most(gateway: Deployment, purchase: prices.Purchase, most: float) -> None:
    other_dollars = total(charges_without_gpu(MILLION, gateway, gpus=5))
    assert gpu_dollars(MILLION, SMALL_INSTANCE_TYPE, purchase) + other_dollars <= most


def test_the_prices_among_the_settings_are_those_of_the_table(
    gateway: Deployment, instance: Deployment
) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    with_gateway, with_instance = (
        {row.item: row.dollars for row in charges_at_rest(template)} for template in (gateway, instance)
    )
    address = with_gateway["public IPv4 address"]
    nat_instance = with_instance["NAT instance (t4g.nano)"] + with_instance["its disk"] + address
    snap_start = with_gateway["SnapStart: the cached snapshot of the API"]
    assert f"{money(with_gateway['NAT gateway'] + address)} per month with its address" in text
    assert f"one `t4g.nano`, {money(nat_instance, 0)} per month with its address" in text
    assert f"about {money(snap_start, 0)} per month" in text
    assert f"{money(with_gateway['alarms'])} for a deployment with one runtime" in text
    small, large = (money(prices.gpu_dollars_per_hour(f"g6.{size}")) for size in ("xlarge", "2xlarge"))
    assert f"{small} instead of {large} per hour" in text


def test_the_first_image_is_there_in_four_minutes() -> None:
    assert expected_seconds() <= TARGET_SECONDS
    assert all(low <= high for step in STEPS for low, high in (step.public_image, step.own_image))


def test_the_api_sends_no_metrics_that_are_billed(gateway: Deployment) -> None:
    items = {row.item for row in charges_without_gpu(MILLION, gateway, gpus=5)}
    assert "API Gateway's detailed metrics" not in items
    detailed = with_another(gateway, "AWS::ApiGateway::Stage", MethodSettings=[{"MetricsEnabled": True}])
    detailed_items = {row.item for row in charges_without_gpu(MILLION, detailed, gpus=5)}
    assert detailed_items - items == {"API Gateway's detailed metrics"}


def test_prices_and_assumptions_are_finite_and_positive() -> None:
    numbers = [value for name, value in vars(prices).items() if name.isupper() and isinstance(value, float)]
    assert len(numbers) > 20
    assert all(0 < value < 1000 for value in numbers)
    assert dataclasses.astuple(prices.SPOT)[1] < 1
