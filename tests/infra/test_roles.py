"""Who may do what: nothing beyond its own queue, topic, table and buckets."""

import json

import pytest

from tests.infra.conftest import Synthesis
from tests.infra.template import Template, listed, text

pytestmark = pytest.mark.xdist_group("infra")

# The only actions that may be allowed on `*`: AWS knows no resource for them.
ON_EVERYTHING = {
    "ecr:GetAuthorizationToken",  # a token for the account's registry; the repository is named apart
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}

# A `*` at a resource's end: objects of a bucket (callers choose the keys), tasks of our cluster (ECS does).
AT_THE_END = ("s3:", "ecs:GetTaskProtection", "ecs:UpdateTaskProtection")


@pytest.mark.parametrize("stack", ["Core", "Compute"])
def test_no_wildcard_but_the_listed_ones(standard: Synthesis, stack: str) -> None:
    """Neither in an action nor in a resource, in any policy of a role."""
    for policy, statement in standard.template(stack).statements():
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions), (policy, actions)
        for resource in map(text, listed(statement["Resource"])):
            if resource == "*":
                assert set(actions) <= ON_EVERYTHING, (policy, actions)
            elif "*" in resource:
                assert all(action.startswith(AT_THE_END) for action in actions), (policy, resource, actions)


def _allowed(template: Template, role: str, action: str) -> str:
    resources = [
        statement["Resource"]
        for name, statement in template.statements()
        if name.startswith(role) and action in listed(statement["Action"])
    ]
    assert resources, f"{role} may not {action}"
    return json.dumps(resources)


def test_a_worker_reaches_its_own_queue_only(compute: Template) -> None:
    """Neither the messages nor the dead-letter queue of another runtime."""
    for action in (
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
    ):
        resources = _allowed(compute, "sdruntimeRole", action)
        assert "sdruntime" in resources
        assert "sddynamic" not in resources


def test_a_worker_changes_outputs_and_nothing_else(compute: Template) -> None:
    """Models, uploads and large content are read only."""
    for action in ("s3:PutObject", "s3:DeleteObject"):
        resources = _allowed(compute, "sdruntimeRole", action)
        assert "Output" in resources
        assert not any(bucket in resources for bucket in ("Uploads", "Models", "LargeTasks"))


def test_a_worker_publishes_results_and_no_tasks(compute: Template) -> None:
    """A consumer that could publish tasks could start a loop."""
    resources = _allowed(compute, "sdruntimeRole", "sns:Publish")
    assert "Results" in resources
    assert "TasksTopic" not in resources


def test_a_worker_neither_scans_nor_deletes_rows(compute: Template) -> None:
    """It needs a row by its id, and no index."""
    actions = {
        action
        for name, statement in compute.statements()
        if name.startswith("sdruntimeRole")
        for action in listed(statement["Action"])
        if action.startswith("dynamodb:")
    }
    assert actions == {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}


def test_the_waker_touches_the_services_only(compute: Template) -> None:
    """It starts services of this stack and looks at queues."""
    resources = _allowed(compute, "Waker", "ecs:UpdateService")
    services = compute.resources("ECS::Service")
    assert all(name in resources for name in services)


def test_no_function_reads_what_callers_uploaded(core: Template) -> None:
    """The API hands out links to write to that bucket, and the worker reads it."""
    for name, statement in core.statements():
        if "Uploads" in json.dumps(statement["Resource"]):
            assert listed(statement["Action"]) == ["s3:PutObject"], name
