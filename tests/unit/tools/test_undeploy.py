"""The steps of `make undeploy`, with what AWS answers given."""

import pytest

from tests.support.clock import FakeMonotonic
from tests.support.deployed import CORE, SETTINGS, compute, services, stack
from tests.support.stubbed import Stubbed
from tools.cdk import StepFailed
from tools.undeploy import DRAIN_SECONDS, Removal

INSTANCE = "arn:aws:ecs:us-east-1:1:container-instance/cluster/abc"


@pytest.fixture
def stubbed() -> Stubbed:
    return Stubbed()


class Scene:
    """A removal whose time passes by waiting only, and which notes what it did."""

    def __init__(self, stubbed: Stubbed) -> None:
        self.did: list[str] = []
        self.clock = FakeMonotonic()
        self.stubbed = stubbed
        self.removal = Removal(
            account=stubbed.account(SETTINGS, outputs=CORE),
            cdk=self._cdk,
            say=self.did.append,
            wait=self.clock.forward,
            clock=self.clock,
        )

    def _cdk(self, *arguments: str) -> None:
        self.stubbed.all_asked()
        self.did.append(" ".join(arguments))


def _closing(stubbed: Stubbed) -> None:
    stubbed.answers("apigateway", "get_usage_plans", {"items": [{"id": "plan"}]}, {"keyId": "key"})
    keys = {"items": [{"id": "key"}, {"id": "rotated"}]}
    stubbed.answers("apigateway", "get_usage_plan_keys", keys, {"usagePlanId": "plan"})
    operations = [{"op": "replace", "path": "/enabled", "value": "false"}]
    for key in ("key", "rotated"):
        parameters = {"apiKey": key, "patchOperations": operations}
        stubbed.answers("apigateway", "update_api_key", {}, parameters)


def _stopping(stubbed: Stubbed) -> None:
    stubbed.answers(
        "lambda",
        "put_function_concurrency",
        {},
        {"FunctionName": "scaler", "ReservedConcurrentExecutions": 0},
    )
    services(stubbed, a="ACTIVE", b="INACTIVE")
    parameters = {"cluster": "cluster", "service": "a-service", "desiredCount": 0}
    stubbed.answers("ecs", "update_service", {}, parameters)


def test_stacks_are_destroyed_when_no_instance_is_left(stubbed: Stubbed) -> None:
    compute(stubbed)
    _closing(stubbed)
    _stopping(stubbed)
    for instances in ([INSTANCE, INSTANCE], [INSTANCE], []):
        stubbed.answers("ecs", "list_container_instances", {"containerInstanceArns": instances})
    scene = Scene(stubbed)
    scene.removal.run()
    order = [line for line in scene.did if "instances are left" in line or line.startswith("destroy")]
    assert [line.split("(")[0].strip() for line in order] == [
        "2 instances are left",
        "1 instances are left",
        "destroy Compute --force",
        "destroy Core --force",
    ]
    assert scene.clock() == pytest.approx(1060)


def test_what_is_kept_is_listed_with_the_command_that_deletes_it(stubbed: Stubbed) -> None:
    text = "\n".join(Scene(stubbed).removal.retained_resources())
    for bucket in ("output", "uploads", "large", "models"):
        assert f"aws s3 rb --force s3://{bucket}" in text
    assert "aws dynamodb delete-table --table-name table" in text


def test_a_bucket_of_the_operators_own_is_not_offered_for_deletion(stubbed: Stubbed) -> None:
    account = stubbed.account(f"modelBucketArn: arn:aws:s3:::models\n{SETTINGS}", outputs=CORE)
    removal = Removal(account=account, cdk=lambda *_: None, say=lambda _: None)
    assert "s3://models" not in "\n".join(removal.retained_resources())


def test_without_a_compute_stack_the_core_stack_goes_at_once(stubbed: Stubbed) -> None:
    stack(stubbed, "sdonecs-compute", None)
    _closing(stubbed)
    scene = Scene(stubbed)
    scene.removal.run()
    assert [line for line in scene.did if line.startswith("destroy")] == ["destroy Core --force"]


def test_instances_that_stay_are_named_with_the_command_that_drains_them(stubbed: Stubbed) -> None:
    compute(stubbed)
    _closing(stubbed)
    _stopping(stubbed)
    for _ in range(int(DRAIN_SECONDS / 15) + 2):
        stubbed.answers("ecs", "list_container_instances", {"containerInstanceArns": [INSTANCE]})
    scene = Scene(stubbed)
    with pytest.raises(StepFailed, match="--cluster cluster --status DRAINING --container-instances abc`"):
        scene.removal.run()
    assert not any(line.startswith("destroy") for line in scene.did)


def test_tasks_that_would_never_end_are_counted(stubbed: Stubbed) -> None:
    names = ("", "NotVisible", "Delayed")
    attributes = {f"ApproximateNumberOfMessages{name}": str(index) for index, name in enumerate(names, 1)}
    stubbed.answers("sqs", "get_queue_attributes", {"Attributes": attributes})
    assert Scene(stubbed).removal.unfinished_task_counts() == {"a": 6}
