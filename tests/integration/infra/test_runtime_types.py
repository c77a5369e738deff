import json
from typing import Any

import aws_cdk as cdk
import pytest

from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.settings.reading import parse
from tests.support.template import Template, text
from tests.support.toy.registrations import DEPLOYED

pytestmark = pytest.mark.xdist_group("infra")


@pytest.fixture(scope="module")
def assembly() -> cdk.cx_api.CloudAssembly:
    settings, _ = parse("modelsRuntime: [{name: toys, type: toy, speed: 3}]", DEPLOYED)
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    core = CoreStack(app, "Core", settings=settings)
    ComputeStack(app, "Compute", settings=settings, core=core.resources)
    return app.synth()


def _containers(assembly: cdk.cx_api.CloudAssembly) -> dict[str, Any]:
    task = Template(assembly.get_stack_by_name("Compute").template).one("ECS::TaskDefinition")
    return {container["Name"]: container for container in task["ContainerDefinitions"]}


def test_a_further_runtime_type_is_deployed_with_its_own_container(
    assembly: cdk.cx_api.CloudAssembly,
) -> None:
    toy = _containers(assembly)["toy"]
    assert toy["Environment"] == [{"Name": "SPEED", "Value": "3"}]
    assert toy["MountPoints"][0]["ContainerPath"] == "/toys"


def test_its_consumer_and_the_api_get_its_type(assembly: cdk.cx_api.CloudAssembly) -> None:
    consumer = {pair["Name"]: pair["Value"] for pair in _containers(assembly)["consumer"]["Environment"]}
    assert (consumer["RUNTIME_TYPE"], consumer["ENGINE_URL"]) == ("toy", "http://127.0.0.1:1")
    assert json.loads(consumer["RUNTIME_OPTIONS"]) == {"speed": 3, "most": 1000}
    core = Template(assembly.get_stack_by_name("Core").template)
    api = core.one("Lambda::Function", "ApiFunction")["Environment"]["Variables"]
    runtimes = text(api["RUNTIMES"])
    assert '\\"type\\":\\"toy\\"' in runtimes
    assert '\\"options\\":{\\"speed\\":3,\\"most\\":1000}' in runtimes
