"""Checks before a deployment: the region, its zones, and the instance types that they offer."""

from typing import Any

import pytest

from tests.support.stubbed import StubbedClients
from tools.preflight.finding import Finding, Verdict, run_checks
from tools.preflight.places import instance_types, region, zones

RUNTIME = "modelsRuntime: [{name: r, modelFilename: m, instanceTypes: [g6.2xlarge]}]"


@pytest.fixture
def stubbed() -> StubbedClients:
    return StubbedClients()


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("us-east-1", [Verdict.OK]),
        ("us-gov-west-1", [Verdict.OK, Verdict.WARNING]),
        ("ap-east-2", [Verdict.OK, Verdict.WARNING]),
        ("ap-southeast-6", [Verdict.OK, Verdict.WARNING]),
        ("cn-north-1", [Verdict.FAILED]),
    ],
)
def test_regions_without_managed_instances_or_snapstart_are_named(
    stubbed: StubbedClients, name: str, verdicts: list[Verdict]
) -> None:
    assert [finding.verdict for finding in region(stubbed.account(RUNTIME, region=name))] == verdicts
    without = stubbed.account(f"APIGW: {{snapStart: false}}\n{RUNTIME}", region=name)
    assert Verdict.WARNING not in [finding.verdict for finding in region(without)]


@pytest.mark.parametrize(
    ("offered", "verdict", "text"),
    [
        ([], Verdict.FAILED, "us-east-1 offers none of g6.2xlarge"),
        ([("g6.xlarge", 16)], Verdict.FAILED, "reduce taskSize"),
        ([("g6.xlarge", 16), ("g6.2xlarge", 32)], Verdict.WARNING, "g6.xlarge, which is never used"),
        ([("g6.2xlarge", 32)], Verdict.OK, "g6.2xlarge have room"),
    ],
)
def test_a_task_must_fit_on_an_instance_type(
    stubbed: StubbedClients, offered: list[tuple[str, int]], verdict: Verdict, text: str
) -> None:
    types: list[dict[str, Any]] = [
        {
            "InstanceType": name,
            "VCpuInfo": {"DefaultVCpus": 8},
            "MemoryInfo": {"SizeInMiB": gib * 1024},
            "GpuInfo": {"Gpus": [{"Count": 1}]},
        }
        for name, gib in offered
    ]
    for _ in range(2):
        stubbed.add_response("ec2", "describe_instance_types", {"InstanceTypes": types})
    (finding,) = instance_types(stubbed.account(RUNTIME))
    assert (finding.verdict, text in finding.text) == (verdict, True)


def _zones(
    stubbed: StubbedClients, zone_letters: str, offering: str | None, *, network: str = ""
) -> list[Finding]:
    existing_zones = [{"ZoneName": f"us-east-1{letter}", "State": "available"} for letter in zone_letters]
    stubbed.add_response("ec2", "describe_availability_zones", {"AvailabilityZones": existing_zones})
    if offering is not None:
        offers = [
            {
                "InstanceType": "g6.2xlarge",
                "LocationType": "availability-zone",
                "Location": f"us-east-1{letter}",
            }
            for letter in offering
        ]
        parameters = {
            "LocationType": "availability-zone",
            "Filters": [{"Name": "instance-type", "Values": ["g6.2xlarge"]}],
        }
        stubbed.add_response(
            "ec2", "describe_instance_type_offerings", {"InstanceTypeOfferings": offers}, parameters
        )
    findings = list(zones(stubbed.account(f"{network}\n{RUNTIME}")))
    stubbed.assert_all_called()
    return findings


@pytest.mark.parametrize(
    ("zone_letters", "offering", "verdict", "text"),
    [
        ("abcd", "abcd", Verdict.OK, "us-east-1a, us-east-1b, us-east-1c offer"),
        ("abcd", "acd", Verdict.WARNING, "availabilityZones: [us-east-1a, us-east-1c, us-east-1d]"),
        ("abcd", "d", Verdict.FAILED, "set network.availabilityZones: [us-east-1d]"),
        ("abcd", "", Verdict.FAILED, "no zone of us-east-1 offers g6.2xlarge"),
        ("ac", None, Verdict.FAILED, "set network.availabilityZones: [us-east-1a, us-east-1c]"),
    ],
)
def test_the_first_three_zones_must_exist_and_offer_the_instance_types(
    stubbed: StubbedClients, zone_letters: str, offering: str | None, verdict: Verdict, text: str
) -> None:
    (finding,) = _zones(stubbed, zone_letters, offering)
    assert (finding.verdict, text in finding.text) == (verdict, True), finding.text


def test_zones_of_the_settings_must_exist_and_may_be_fewer(stubbed: StubbedClients) -> None:
    two = "network: {availabilityZones: [us-east-1a, us-east-1c]}"
    (good,) = _zones(stubbed, "ac", "ac", network=two)
    (unknown,) = _zones(stubbed, "ac", None, network=two.replace("1c", "1b"))
    assert (good.verdict, unknown.verdict) == (Verdict.OK, Verdict.FAILED)
    assert "us-east-1b does not exist here; there are us-east-1a, us-east-1c" in unknown.text


def test_the_zones_of_an_existing_vpc_are_its_owners(stubbed: StubbedClients) -> None:
    (finding,) = zones(stubbed.account(f"network: {{vpcId: vpc-0123456789abcdef0}}\n{RUNTIME}"))
    assert finding.verdict is Verdict.OK


def test_what_the_caller_may_not_ask_is_a_warning(stubbed: StubbedClients) -> None:
    stubbed.add_error("ec2", "describe_availability_zones", "UnauthorizedOperation")
    (finding,) = run_checks({"zones": zones}, stubbed.account(RUNTIME))
    assert (finding.subject, finding.verdict) == ("zones", Verdict.WARNING)
    assert "not checked: " in finding.text
    assert "UnauthorizedOperation on purpose" in finding.text
