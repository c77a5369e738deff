"""`make deploy` against the emulator, from the first call to the image behind its link."""

import json
import secrets
from pathlib import Path

import pytest

from infra.settings.reading import load
from local.pipeline import Pipeline
from tests.support.synthesis import TWO_RUNTIMES
from tools.cdk import StepFailed
from tools.deploy import Deployment
from tools.preflight.finding import Account

CHECKPOINT = "Stable-diffusion/v1-5-pruned-emaonly.safetensors"


class FakeCdk:
    """Stands for the CDK's command line: the core stack exists, and the compute stack gets only services."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.calls: list[tuple[str, ...]] = []
        self._aws = pipeline.aws
        self._cluster = f"cluster-{secrets.token_hex(4)}"

    def __call__(self, *arguments: str) -> None:
        self.calls.append(arguments)
        if arguments[:2] == ("deploy", "Compute"):
            context = dict(argument.split("=") for argument in arguments if "=" in argument)
            self._deploy_compute(context.get("startAtZero", "").split(","))

    def _deploy_compute(self, at_zero: list[str]) -> None:
        services = {name: f"{name}-service" for name in ("sdruntime", "sddynamic")}
        outputs = {"ClusterName": self._cluster, "ScalerName": "scaler", "Services": json.dumps(services)}
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        ecs, cloudformation = self._aws.client("ecs"), self._aws.client("cloudformation")
        if len(self.calls) == 2:
            ecs.create_cluster(clusterName=self._cluster)
            ecs.register_task_definition(
                family="worker", containerDefinitions=[{"name": "webui", "image": "i", "memory": 64}]
            )
            cloudformation.create_stack(StackName="sdonecs-compute", TemplateBody=json.dumps(template))
            for name, service in services.items():
                count = 0 if name in at_zero else 1
                ecs.create_service(
                    cluster=self._cluster, serviceName=service, taskDefinition="worker", desiredCount=count
                )

    def desired_counts(self) -> dict[str, int]:
        """Return the desired number of ECS tasks of each service."""
        names = ["sdruntime-service", "sddynamic-service"]
        services = self._aws.client("ecs").describe_services(cluster=self._cluster, services=names)
        return {service["serviceName"]: service["desiredCount"] for service in services["services"]}


class WorkingScaler:
    """Lambda with a scaler that no removal has stopped; the compute stack is not in the emulator."""

    def get_function_concurrency(self, **_asked: object) -> dict[str, object]:
        return {}


@pytest.fixture
def account(pipeline: Pipeline) -> Account:
    def client(service: str) -> object:
        return WorkingScaler() if service == "lambda" else pipeline.aws.client(service)

    settings, _ = load(TWO_RUNTIMES)
    return Account(settings=settings, account="000000000000", region="us-east-1", client=client)


def test_a_deployment_ends_with_an_image_and_can_be_repeated(
    pipeline: Pipeline, account: Account, tmp_path: Path
) -> None:
    output_lines: list[str] = []
    cdk = FakeCdk(pipeline)
    deployment = Deployment(
        account=account, cdk=cdk, say=output_lines.append, api_url=lambda _: pipeline.deployment.api_url
    )

    with pytest.raises(StepFailed, match="upload these models"):
        deployment.run()
    bucket = pipeline.deployment.outputs["ModelBucket"]
    assert f"aws s3 cp v1-5-pruned-emaonly.safetensors s3://{bucket}/{CHECKPOINT}" in output_lines[-1]
    pipeline.aws.client("s3").put_object(Bucket=bucket, Key=CHECKPOINT, Body=b"a checkpoint")
    cdk.calls.clear()

    deployment.run()
    assert cdk.calls[1][-1] == "startAtZero=sdruntime,sddynamic"
    assert cdk.desired_counts() == {"sdruntime-service": 0, "sddynamic-service": 0}
    assert ": completed" in "".join(output_lines)
    assert "its link leads to an image of" in "".join(output_lines)
    assert f"API={pipeline.deployment.api_url.rstrip('/')}" in output_lines[-3]
    assert "aws apigateway get-api-key" in output_lines[-3]

    deployment.run()
    assert cdk.calls[3][:2] == ("deploy", "Compute")
    assert "startAtZero" not in str(cdk.calls[3])
