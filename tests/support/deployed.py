"""Responses of AWS about the stacks and services, for tests of the tools that deploy and remove them."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.support.stubbed import StubbedClients

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


def add_stack(
    stubbed: StubbedClients, name: str, outputs: dict[str, str] | None, status: str = "CREATE_COMPLETE"
) -> None:
    """Add the response to the next `DescribeStacks`; with None for `outputs`, the stack does not exist."""
    if outputs is None:
        stubbed.add_error("cloudformation", "describe_stacks", "ValidationError")
        return
    output_list = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    description = {
        "StackName": name,
        "CreationTime": datetime(2026, 11, 25, tzinfo=UTC),
        "StackStatus": status,
        "Outputs": output_list,
    }
    stubbed.add_response("cloudformation", "describe_stacks", {"Stacks": [description]}, {"StackName": name})


def add_compute_stack(stubbed: StubbedClients, status: str = "CREATE_COMPLETE", **outputs: str) -> None:
    """Add the response to the next `DescribeStacks` for the compute stack; `outputs` are further outputs."""
    services = {"ClusterName": "cluster", "ScalerName": "scaler", "Services": json.dumps(SERVICES)}
    add_stack(stubbed, "sdonecs-compute", services | outputs, status)


def add_services(stubbed: StubbedClients, **states: str) -> None:
    """Add the response to the next `DescribeServices`; `states` are the services' statuses by runtime."""
    descriptions: list[dict[str, Any]] = [
        {"serviceName": SERVICES[name], "status": status} for name, status in states.items()
    ]
    parameters = {"cluster": "cluster", "services": list(SERVICES.values())}
    stubbed.add_response("ecs", "describe_services", {"services": descriptions}, parameters)
