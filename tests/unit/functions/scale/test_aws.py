"""What the scaler reads from ECS's responses that the emulator does not imitate."""

import boto3
import pytest
from botocore.stub import Stubber

from functions.scale.aws import EcsServices
from functions.scale.logic import ServiceState


@pytest.mark.parametrize(("statuses", "updating"), [(["PRIMARY"], False), (["PRIMARY", "ACTIVE"], True)])
def test_a_service_is_updating_while_it_has_an_old_deployment(statuses: list[str], *, updating: bool) -> None:
    ecs = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    deployments = [{"status": status, "rolloutState": "IN_PROGRESS"} for status in statuses]
    service = {"status": "ACTIVE", "desiredCount": 1, "deployments": deployments}
    with Stubber(ecs) as stub:
        stub.add_response("describe_services", {"services": [service]}, {"cluster": "c", "services": ["a"]})
        state = EcsServices(ecs, cluster="c").state("a")
    assert state == ServiceState(desired=1, updating=updating)


def test_a_service_that_is_being_deleted_is_none() -> None:
    ecs = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        service = {"status": "DRAINING", "desiredCount": 0}
        stub.add_response("describe_services", {"services": [service]})
        with pytest.raises(LookupError, match="the cluster c has no service a"):
            EcsServices(ecs, cluster="c").state("a")
