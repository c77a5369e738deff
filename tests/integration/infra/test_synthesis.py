"""The synthesis of the whole app: regions, cdk-nag and cfn-lint, and invalid settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.synthesis import Synthesis, synthesize

pytestmark = pytest.mark.xdist_group("infra")


def test_a_china_region_gets_only_the_core_stack_and_a_notice(china: Synthesis) -> None:
    """ECS Managed Instances are not available there."""
    assert (china.folder / "Core.template.json").exists()
    assert not (china.folder / "Compute.template.json").exists()
    refusals = [line for line in china.output.splitlines() if "compute stack" in line]
    (refusal,) = refusals
    assert refusal == (
        "the compute stack cannot be deployed to cn-northwest-1: "
        "China regions have no ECS Managed Instances; the core stack can"
    )


def test_a_china_region_does_without_snapshots(china: Synthesis) -> None:
    """SnapStart is not available there."""
    core = china.template("Core")
    assert core.resources("Lambda::Alias") == {}
    assert all("SnapStart" not in function for function in core.properties("Lambda::Function"))


@pytest.mark.parametrize("name", ["standard", "china", "sd_on_eks", "comfyui"])
def test_cdk_nag_finds_nothing(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name).read("validation-report.json")
    findings = [violation for plugin in report["pluginReports"] for violation in plugin["violations"]]
    assert findings == []


def test_cfn_lint_finds_no_error(standard: Synthesis, china: Synthesis) -> None:
    templates = [*standard.folder.glob("*.template.json"), *china.folder.glob("*.template.json")]
    assert len(templates) == 3
    lint = str(Path(sys.executable).parent / "cfn-lint")
    completed = subprocess.run(
        [lint, "--non-zero-exit-code", "error", "--format", "parseable", "--", *map(str, templates)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout


def test_invalid_settings_end_the_synthesis_with_one_line(tmp_path: Path) -> None:
    config = tmp_path / "other.yaml"
    config.write_text("modelsRuntime: [{name: r, modelFilename: m, type: unknown}]\n")
    synthesis = synthesize(tmp_path / "out", config=config)
    assert synthesis.status == 1
    expected = "other.yaml: modelsRuntime[0].type: found \"unknown\"; allowed: 'sdwebui', 'comfyui'\n"
    assert synthesis.output == expected


def test_an_unlisted_wildcard_fails_the_synthesis() -> None:
    program = """
import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from infra.acknowledged import acknowledge_findings
stack = cdk.Stack(cdk.App(), "S")
role = iam.Role(stack, "R", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))
acknowledge_findings(stack)
stack.node.root.synth()
"""
    root = Path(__file__).parents[3]
    completed = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert completed.returncode != 0
    assert "no reason is given for s3:GetObject on *" in completed.stderr


def test_only_the_consumers_image_needs_docker(standard: Synthesis) -> None:
    files = standard.read("Core.assets.json")
    assert files["dockerImages"] == {}
    images = standard.read("Compute.assets.json")["dockerImages"]
    assert [image["source"]["dockerFile"] for image in images.values()] == ["container/consumer/Dockerfile"]
    assert "platform" in json.dumps(images)


def test_looking_up_a_vpc_without_an_account_is_an_error_of_one_line(tmp_path: Path) -> None:
    config = tmp_path / "vpc.yaml"
    config.write_text(
        "modelsRuntime: [{name: r, modelFilename: m}]\nnetwork: {vpcId: vpc-0123456789abcdef0}\n"
    )
    synthesis = synthesize(tmp_path / "out", config=config)
    assert synthesis.status == 1
    assert synthesis.output.splitlines()[-1].startswith("network.vpcId: to look up the VPC")
