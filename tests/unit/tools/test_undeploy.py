"""The steps of `make undeploy`, with stubbed responses of AWS."""

import pytest

from tests.support.clock import FakeMonotonic
from tests.support.deployed import CORE, SETTINGS, add_compute_stack, add_services, add_stack
from tests.support.stubbed import StubbedClients
from tools.cdk import StepFailed
from tools.undeploy import DRAIN_SECONDS, Removal

INSTANCE = "arn:aws:ecs:us-east-1:1:container-instance/cluster/abc"


@pytest.fixture
def stubbed() -> StubbedClients:
    return StubbedClients()


class Setup:
    """A removal with a fake clock that moves only when the removal waits; `log` is what it did and said."""

    def __init__(self, stubbed: StubbedClients) -> None:
        self.log: list[str] = []
        self.clock = FakeMonotonic()
        self.stubbed = stubbed
        self.removal = Removal(
            account=stubbed.account(SETTINGS, outputs=CORE),
            cdk=self._cdk,
            say=self.log.append,
            wait=self.clock.forward,
            clock=self.clock,
        )

    def _cdk(self, *arguments: str) -> None:
        self.stubbed.assert_all_called()
        self.log.append(" ".join(arguments))


def _add_closing_the_api(stubbed: StubbedClients) -> None:
    stubbed.add_response("apigateway", "get_usage_plans", {"items": [{"id": "plan"}]}, {"keyId": "key"})
    keys = {"items": [{"id": "key"}, {"id": "rotated"}]}
    stubbed.add_response("apigateway", "get_usage_plan_keys", keys, {"usagePlanId": "plan"})
    operations = [{"op": "replace", "path": "/enabled", "value": "false"}]
    for key in ("key", "rotated"):
        parameters = {"apiKey": key, "patchOperations": operations}
        stubbed.add_response("apigateway", "update_api_key", {}, parameters)


def _add_stopping_the_services(stubbed: StubbedClients) -> None:
    stubbed.add_response(
        "lambda",
        "put_function_concurrency",
        {},
        {"FunctionName": "scaler", "ReservedConcurrentExecutions": 0},
    )
    add_services(stubbed, a="ACTIVE", b="INACTIVE")
    parameters = {"cluster": "cluster", "service": "a-service", "desiredCount": 0}
    stubbed.add_response("ecs", "update_service", {}, parameters)


def test_stacks_are_destroyed_when_no_instance_is_left(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed)
    _add_closing_the_api(stubbed)
    _add_stopping_the_services(stubbed)
    for instances in ([INSTANCE, INSTANCE], [INSTANCE], []):
        stubbed.add_response("ecs", "list_container_instances", {"containerInstanceArns": instances})
    setup = Setup(stubbed)
    setup.removal.run()
    order = [line for line in setup.log if "instances are left" in line or line.startswith("destroy")]
    assert [line.split("(")[0].strip() for line in order] == [
        "2 instances are left",
        "1 instances are left",
        "destroy Compute --force",
        "destroy Core --force",
    ]
    assert setup.clock() == pytest.approx(1060)


def test_what_is_kept_is_listed_with_the_command_that_deletes_it(stubbed: StubbedClients) -> None:
    text = "\n".join(Setup(stubbed).removal.retained_resources())
    for bucket in ("output", "uploads", "large", "models"):
        assert f"aws s3 rb --force s3://{bucket}" in text
    assert "aws dynamodb delete-table --table-name table" in text


def test_a_bucket_of_the_operators_own_is_not_offered_for_deletion(stubbed: StubbedClients) -> None:
    account = stubbed.account(f"modelBucketArn: arn:aws:s3:::models\n{SETTINGS}", outputs=CORE)
    removal = Removal(account=account, cdk=lambda *_: None, say=lambda _: None)
    assert "s3://models" not in "\n".join(removal.retained_resources())


def test_without_a_compute_stack_the_core_stack_goes_at_once(stubbed: StubbedClients) -> None:
    add_stack(stubbed, "sdonecs-compute", None)
    _add_closing_the_api(stubbed)
    setup = Setup(stubbed)
    setup.removal.run()
    assert [line for line in setup.log if line.startswith("destroy")] == ["destroy Core --force"]


def test_instances_that_stay_are_named_with_the_command_that_drains_them(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed)
    _add_closing_the_api(stubbed)
    _add_stopping_the_services(stubbed)
    for _ in range(int(DRAIN_SECONDS / 15) + 2):
        stubbed.add_response("ecs", "list_container_instances", {"containerInstanceArns": [INSTANCE]})
    setup = Setup(stubbed)
    with pytest.raises(StepFailed, match="--cluster cluster --status DRAINING --container-instances abc`"):
        setup.removal.run()
    assert not any(line.startswith("destroy") for line in setup.log)


def test_tasks_that_would_never_end_are_counted(stubbed: StubbedClients) -> None:
    names = ("", "NotVisible", "Delayed")
    attributes = {f"ApproximateNumberOfMessages{name}": str(index) for index, name in enumerate(names, 1)}
    stubbed.add_response("sqs", "get_queue_attributes", {"Attributes": attributes})
    assert Setup(stubbed).removal.unfinished_task_counts() == {"a": 6}
