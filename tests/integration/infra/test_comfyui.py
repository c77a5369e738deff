"""Runtimes of type `comfyui`: their settings, and what is deployed of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk
import pytest
import yaml

from domain.limits import DEFAULT_LIMITS, Limits
from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.runtime_types.comfyui import GUIDANCE_IMAGE, ComfyUi, extra_model_paths
from infra.runtime_types.registry import RUNTIME_TYPES, RuntimeTypes
from infra.settings.reading import InvalidConfigError, parse
from local.fakes.comfyui.process import FakeComfyUi, write_models
from local.fakes.process import start_process
from runtimes.comfyui.policy import NEVER_ALLOWED
from runtimes.comfyui.runtime_type import ComfyUi as Rules
from tests.support.comfyui import image_to_image, node
from tests.support.comfyui_worker import LINK, Worker
from tests.support.synthesis import ROOT
from tests.support.template import Template

pytestmark = pytest.mark.xdist_group("infra")

TYPES: Final[RuntimeTypes] = {**RUNTIME_TYPES, "comfyui": ComfyUi}
SETTINGS = """
limits: {mediaBytes: 209715200}
modelsRuntime:
- name: comfy
  type: comfyui
  modelFilename: cats.safetensors
  comfyui: {image: ./container/comfyui}
  nodes: {allow: [VHS_VideoCombine], deny: [ImageBlur]}
"""
GUIDANCE_SETTINGS = """
stackName: sdoneks
modelBucketArn: arn:aws:s3:::sdoneks-model-bucket-51a6
modelsRuntime:
- name: comfy
  namespace: default
  type: comfyui
  dynamicModel: true
  extraValues:
    runtime:
      scaling: {queueLength: 5}
"""


def runtime(text: str) -> ComfyUi:
    settings, _ = parse(text, TYPES)
    comfyui_runtime = settings.models_runtime[0]
    assert isinstance(comfyui_runtime, ComfyUi)
    return comfyui_runtime


@pytest.fixture(scope="module")
def containers() -> dict[str, Any]:
    settings, _ = parse(SETTINGS, TYPES)
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    core = CoreStack(app, "Core", settings=settings)
    ComputeStack(app, "Compute", settings=settings, core=core.resources)
    assembly = app.synth()
    task = Template(assembly.get_stack_by_name("Compute").template).one("ECS::TaskDefinition")
    return {container["Name"]: container for container in task["ContainerDefinitions"]}


def test_a_file_of_the_guidance_is_deployed_with_its_image_on_its_port() -> None:
    engine = runtime(GUIDANCE_SETTINGS).engine()
    assert engine.image == GUIDANCE_IMAGE
    assert engine.worker["engine_url"] == "http://127.0.0.1:8080"
    assert "8080/system_stats" in engine.health_check.command[1]
    assert engine.model_directory == "/opt/ml/code/models"
    assert (engine.entry_point, engine.command, engine.settings) == ((), (), None)


def test_an_image_of_ours_is_started_so_that_a_task_reaches_its_own_files_only() -> None:
    engine = runtime(SETTINGS).engine()
    assert engine.worker["engine_url"] == "http://127.0.0.1:8188"
    flags = list(engine.command)
    for flag in ("--disable-api-nodes", "--disable-metadata", "--disable-auto-launch"):
        assert flag in flags
    assert flags[flags.index("--listen") + 1] == "127.0.0.1"
    assert "--disable-all-custom-nodes" not in flags  # its settings allow one
    without = runtime("modelsRuntime: [{name: c, type: comfyui, dynamicModel: true, comfyui: {image: a:b}}]")
    assert "--disable-all-custom-nodes" in without.engine().command
    for name in ("input", "output", "user"):
        assert flags[flags.index(f"--{name}-directory") + 1] == f"/opt/sd-on-ecs/files/{name}"


def test_comfyui_takes_uploads_as_large_as_the_limits_allow(containers: dict[str, Any]) -> None:
    def mebibytes(command: Sequence[str]) -> int:
        return int(command[command.index("--max-upload-size") + 1])

    assert mebibytes(runtime(SETTINGS).engine().command) == 100
    assert mebibytes(runtime(SETTINGS).engine(Limits(media_bytes=2**30)).command) > 1024
    assert mebibytes(containers["comfyui"]["Command"]) > 200


def test_a_comfyui_with_the_deployed_folders_keeps_no_file_of_a_task(tmp_path: Path) -> None:
    command = runtime(SETTINGS).engine().command
    deployed = runtime(SETTINGS).as_domain().options["files_dir"]
    places = {
        flag: command[command.index(flag) + 1].replace(deployed, str(tmp_path))
        for flag in ("--input-directory", "--output-directory", "--temp-directory")
    }
    write_models(tmp_path / "models")
    flags = ["--port", "0", "--models", str(tmp_path / "models"), "--step-seconds", "0.01"]
    flags += [part for pair in places.items() for part in pair]
    process, url, control = start_process("fake ComfyUI", "local.fakes.comfyui", flags, booting=False)
    with process:
        folders = {name: tmp_path / name for name in ("models", "input", "output", "temp")}
        worker = Worker(FakeComfyUi(process, url, control, folders), tmp_path)
        worker.run(image_to_image(LINK) | {"10": node("PreviewImage", images=["8", 0])})
        assert worker.left_behind() == []


def test_the_server_gets_models_it_cannot_change_and_no_credentials(containers: dict[str, Any]) -> None:
    server = containers["comfyui"]
    mounts = {mount_point["ContainerPath"]: mount_point["ReadOnly"] for mount_point in server["MountPoints"]}
    assert mounts == {"/opt/ml/code/models": True, "/opt/sd-on-ecs": False}
    assert server["EntryPoint"][:3] == ["env", "-u", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]


def test_the_consumer_shares_the_folders_of_files(containers: dict[str, Any]) -> None:
    consumer = containers["consumer"]
    assert "/opt/sd-on-ecs" in {mount_point["ContainerPath"] for mount_point in consumer["MountPoints"]}
    environment = {variable["Name"]: variable["Value"] for variable in consumer["Environment"]}
    options = json.loads(environment["RUNTIME_OPTIONS"])
    assert options == {
        "allow": ["VHS_VideoCombine"],
        "deny": ["ImageBlur"],
        "files_dir": "/opt/sd-on-ecs/files",
    }
    assert "mkdir -p /opt/sd-on-ecs/files/input" in containers["sync-models"]["Command"][0]


def test_the_list_of_model_folders_is_that_of_the_rules() -> None:
    file = ROOT / "container/consumer/engines/comfyui/image/extra_model_paths.yaml"
    assert yaml.safe_load(file.read_text()) == extra_model_paths("/opt/ml/code/models")


def test_the_sample_task_is_accepted_by_the_rules() -> None:
    comfyui_runtime = runtime(SETTINGS)
    sample = comfyui_runtime.sample_task()
    assert sample is not None
    checked = Rules().validate(*sample, comfyui_runtime.as_domain(), DEFAULT_LIMITS)
    assert not checked.faults
    assert not checked.warnings
    assert comfyui_runtime.required_models() == (
        ("checkpoints/cats.safetensors", "Stable-diffusion/cats.safetensors"),
    )
    assert runtime(GUIDANCE_SETTINGS).sample_task() is None
    assert runtime(GUIDANCE_SETTINGS).required_models() == ()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "needs a modelFilename"),
        ("modelFilename: ../x", "modelFilename leaves its folder"),
        ("modelFilename: /x", "modelFilename is a path"),
        ("dynamicModel: true, nodes: {catalogue: mine.json}", "there is no"),
        ("dynamicModel: true, nodes: {catalogue: ../mine.json}", "nodes.catalogue"),
        ("dynamicModel: true, nodes: {allow: [A], deny: [A]}", "in allow and in deny"),
        ("dynamicModel: true, comfyui: {image: a:b, modelDirectory: /x}", "modelDirectory is for"),
        ("dynamicModel: true, limits: {nodes: 0}", "limits.nodes"),
        ("dynamicModel: true, scripts: [x]", "no such key"),
        *((f"dynamicModel: true, nodes: {{allow: [{name}]}}", NEVER_ALLOWED[name]) for name in NEVER_ALLOWED),
    ],
)
def test_a_mistake_in_the_settings_is_reported(keys: str, message: str) -> None:
    text = f"modelsRuntime: [{{name: comfy, type: comfyui{', ' if keys else ''}{keys}}}]"
    with pytest.raises(InvalidConfigError) as error:
        parse(text, TYPES)
    assert message in str(error.value)
