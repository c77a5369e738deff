"""Answers of AWS about a compute stack, for tests of the tools that deploy and remove it."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.support.stubbed import Stubbed

SERVICES = {"a": "a-service", "b": "b-service"}
SETTINGS = """
modelsRuntime:
- {name: a, modelFilename: m, scaling: {minReplicaCount: 2, maxReplicaCount: 4}}
- {name: b, modelFilename: m}
"""
CORE = {
    "ApiKeyId": "key",
    "ModelBucket": "models",
    "OutputS3Bucket": "output",
    "UploadBucket": "uploads",
    "LargeTaskBucket": "large",
    "TaskTable": "table",
    "TaskQueues": json.dumps({"a": "https://sqs.example/a"}),
}


def stack(
    stubbed: Stubbed, name: str, outputs: dict[str, str] | None, status: str = "CREATE_COMPLETE"
) -> None:
    """Answer the next question about a stack; None if it does not exist."""
    if outputs is None:
        stubbed.refuses("cloudformation", "describe_stacks", "ValidationError")
        return
    output_list = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    description = {
        "StackName": name,
        "CreationTime": datetime(2026, 11, 25, tzinfo=UTC),
        "StackStatus": status,
        "Outputs": output_list,
    }
    stubbed.answers("cloudformation", "describe_stacks", {"Stacks": [description]}, {"StackName": name})


def compute(stubbed: Stubbed, status: str = "CREATE_COMPLETE", **outputs: str) -> None:
    """Answer the next question about the compute stack."""
    services = {"ClusterName": "cluster", "ScalerName": "scaler", "Services": json.dumps(SERVICES)}
    stack(stubbed, "sdonecs-compute", services | outputs, status)


def services(stubbed: Stubbed, **states: str) -> None:
    """Answer the next question about the services: their status by runtime."""
    descriptions: list[dict[str, Any]] = [
        {"serviceName": SERVICES[name], "status": status} for name, status in states.items()
    ]
    parameters = {"cluster": "cluster", "services": list(SERVICES.values())}
    stubbed.answers("ecs", "describe_services", {"services": descriptions}, parameters)
