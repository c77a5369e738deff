"""Checks before a deployment: quotas must allow the instances that the settings can ask for."""

from typing import Any

import pytest

from infra.settings.reading import parse
from tests.support.stubbed import StubbedClients
from tools.preflight.finding import Finding, Verdict
from tools.preflight.instances import Demand, InstanceType, vcpu_demand
from tools.preflight.quotas import concurrency, vcpus

ONE = "modelsRuntime: [{name: r, modelFilename: m, scaling: {maxReplicaCount: 3}}]"


def _type(name: str, vcpus: int, memory_gib: int, gpus: int = 1) -> dict[str, Any]:
    gpu = {"GpuInfo": {"Gpus": [{"Name": "L4", "Manufacturer": "NVIDIA", "Count": gpus}]}} if gpus else {}
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": vcpus},
        "MemoryInfo": {"SizeInMiB": memory_gib * 1024},
        **gpu,
    }


def _quota(stubbed: StubbedClients, code: str, value: float) -> None:
    answer = {"Quota": {"QuotaCode": code, "QuotaName": f"the quota {code}", "Value": value}}
    stubbed.add_response(
        "service-quotas", "get_service_quota", answer, {"ServiceCode": "ec2", "QuotaCode": code}
    )


@pytest.fixture
def stubbed() -> StubbedClients:
    return StubbedClients()


def _vcpus(stubbed: StubbedClients, settings: str, **quotas: float) -> list[Finding]:
    account = stubbed.account(settings)
    for runtime in account.settings.models_runtime:
        stubbed.add_response(
            "ec2",
            "describe_instance_types",
            {"InstanceTypes": [_type("g6.2xlarge", 8, 32), _type("g5.2xlarge", 8, 32)]},
            {"Filters": [{"Name": "instance-type", "Values": list(runtime.instance_types)}]},
        )
    for code, value in sorted(quotas.items()):
        _quota(stubbed, code.replace("_", "-"), value)
    findings = list(vcpus(account))
    stubbed.assert_all_called()
    return findings


@pytest.mark.parametrize(
    ("quota", "verdict", "says"),
    [
        (0, Verdict.FAILED, "--quota-code L-DB2E81BA --desired-value 48"),
        (7, Verdict.FAILED, "one ECS task needs 8"),
        (8, Verdict.WARNING, "the settings allow 24: reduce maxReplicaCount"),
        (24, Verdict.WARNING, "an update while all ECS tasks run needs 48"),
        (48, Verdict.OK, "48, of which the settings can ask for 48"),
    ],
)
def test_a_quota_must_allow_one_task_and_should_allow_an_update_of_all(
    stubbed: StubbedClients, quota: float, verdict: Verdict, says: str
) -> None:
    (finding,) = _vcpus(stubbed, ONE, L_DB2E81BA=quota)
    assert finding.verdict is verdict
    assert says in finding.text
    assert "the quota L-DB2E81BA" in finding.subject


def test_all_runtimes_share_a_quota_and_spot_has_its_own(stubbed: StubbedClients) -> None:
    settings = """
modelsRuntime:
- {name: a, modelFilename: m, scaling: {maxReplicaCount: 3}, capacity: {onDemand: true, spot: true}}
- {name: b, modelFilename: m, scaling: {maxReplicaCount: 2}}
"""
    on_spot, on_demand = _vcpus(stubbed, settings, L_3819A6DF=0, L_DB2E81BA=1000)
    # On demand: of a, one ECS task and half of the other two; of b, both: 4 with 8 vCPUs each. While both
    # services are updated, each task runs twice: 8 x 8.
    assert on_demand.text == "1000, of which the settings can ask for 64"
    assert (on_spot.verdict, "--desired-value 24" in on_spot.text) == (Verdict.FAILED, True)


@pytest.mark.parametrize(
    ("capacity", "on_demand", "spot"),
    [
        ("onDemand: true", (5, 10), (0, 0)),
        ("onDemand: false, spot: true", (0, 0), (5, 10)),
        ("onDemand: true, spot: true", (3, 6), (2, 5)),
        ("onDemand: 1, spot: 3", (2, 4), (3, 7)),
    ],
)
def test_demand_is_shared_as_ecs_assigns_tasks(
    capacity: str, on_demand: tuple[int, int], spot: tuple[int, int]
) -> None:
    settings, _ = parse(f"modelsRuntime: [{{name: r, modelFilename: m, capacity: {{{capacity}}}}}]")
    (runtime,) = settings.models_runtime
    for is_spot, (task_count, updating) in ((False, on_demand), (True, spot)):
        demand = vcpu_demand(runtime, 8, spot=is_spot)
        assert (demand.all_tasks, demand.during_update) == (task_count * 8, updating * 8)
    assert Demand(one_task=8, all_tasks=8, during_update=16) + Demand(
        one_task=4, all_tasks=4, during_update=8
    ) == Demand(one_task=8, all_tasks=12, during_update=24)


def test_an_update_of_a_large_service_needs_no_more_than_its_maximum() -> None:
    settings, _ = parse("modelsRuntime: [{name: r, modelFilename: m, scaling: {maxReplicaCount: 20}}]")
    (runtime,) = settings.models_runtime
    demand = vcpu_demand(runtime, 8, spot=False)
    assert demand.during_update == demand.all_tasks == 160


@pytest.mark.parametrize(
    ("vcpus", "memory_gib", "gpus", "vcpus_per_ecs_task"),
    [
        (8, 32, 1, 8),
        (4, 16, 1, None),  # the task asks for 24 GiB
        (8, 24, 1, None),  # nothing left for the agent
        (48, 192, 4, 12),  # four tasks on one instance
        (48, 192, 8, 6),  # eight by memory and by GPUs, although twelve would fit by vCPUs
        (8, 32, 0, None),
    ],
)
def test_an_ecs_task_takes_its_share_of_an_instance(
    vcpus: int, memory_gib: int, gpus: int, vcpus_per_ecs_task: int | None
) -> None:
    (runtime,) = parse(ONE)[0].models_runtime
    instance_type = InstanceType(name="g6.x", vcpus=vcpus, memory_mib=memory_gib * 1024, gpus=gpus)
    assert instance_type.vcpus_per_ecs_task(runtime) == vcpus_per_ecs_task


@pytest.mark.parametrize(
    ("total", "gateway", "verdict", "says"),
    [
        (10, "", Verdict.WARNING, "--quota-code L-B99A9384 --desired-value 1000"),
        (10, "", Verdict.WARNING, "set APIGW.waits.rateLimit to 0.2 until then"),
        (10, "waits: {rateLimit: 0.2}", Verdict.WARNING, "--desired-value 1000`"),
        (99, "", Verdict.WARNING, "may occupy 50: reduce APIGW.waits.rateLimit"),
        (1000, "", Verdict.OK, "1000"),
        (1000, "waits: {rateLimit: 21}", Verdict.WARNING, "may occupy 525: reduce APIGW.waits.rateLimit"),
        (1000, "reservedConcurrency: 900", Verdict.OK, "1000"),
        (1000, "reservedConcurrency: 901", Verdict.FAILED, "remove the key, or run"),
        (10, "reservedConcurrency: 1", Verdict.FAILED, "remove the key, or run"),
    ],
)
def test_lambda_must_allow_the_reservation_and_should_allow_the_waits_and_more_than_ten(
    stubbed: StubbedClients, total: int, gateway: str, verdict: Verdict, says: str
) -> None:
    limits = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": total}
    stubbed.add_response("lambda", "get_account_settings", {"AccountLimit": limits}, {})
    settings = f"{ONE}\nAPIGW: {{{gateway}}}"
    (finding,) = concurrency(stubbed.account(settings))
    assert (finding.verdict, says in finding.text) == (verdict, True)
