"""The AWS commands in the documents and in the stack's outputs run as they are written there."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from local.pipeline import Pipeline, run_pipeline
from tests.support.documents import ROOT, shell_blocks

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.xdist_group("aws_commands")]

STACK: Final = "sdonecs"
RUNTIME: Final = "sdruntime"
CLUSTER: Final = "sdonecs-compute-Cluster"
MODEL: Final = "v1-5-pruned-emaonly.safetensors"
OPERATIONS: Final = "docs/operations.md"
DEPLOY: Final = "docs/deploy.md"
API: Final = "docs/api.md"
REPLACEMENT: Final = f"{sys.executable} -m tests.support.aws_command"
INSTALLED: Final = shutil.which("aws")

# Each call is recorded with its output. `logs tail` is not in version 1 of the CLI.
AWS: Final = """#!/bin/bash
set -o pipefail
program={program}
[ "$1 $2" != "logs tail" ] || program={replacement}
call=$(mktemp {calls}/XXXXXX)
printf '%s\\0' "$@" > "$call"
$program "$@" | tee "$call.out"
"""
OTHER_PROGRAM: Final = """#!/bin/bash
printf '%s\\0' {name} "$@" > "$(mktemp {calls}/XXXXXX)"
"""
PYTHON: Final = """#!/bin/bash
[ "$2" = tools.preflight ] || exec {python} "$@"
"""


@dataclass(frozen=True)
class Call:
    """A command that a block ran, and what it printed."""

    words: list[str]
    output: str


@dataclass(frozen=True)
class Operator:
    """Somebody with a terminal, credentials, an AWS CLI and the files that the documents name."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, script: str) -> list[Call]:
        """Run a script, which must not fail, and return its calls of `aws`, `cdk` and `make`."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return self._calls()

    def _calls(self) -> list[Call]:
        calls = []
        for path in sorted(self.folder.joinpath("calls").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            if path.suffix != ".out":
                output = path.with_name(f"{path.name}.out")
                words = path.read_text(encoding="utf-8").split("\0")[:-1]
                calls.append(Call(words, output.read_text(encoding="utf-8") if output.exists() else ""))
        return calls


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> Iterator[Pipeline]:
    """Run the core stack, and what the emulator can have of the compute stack."""
    with run_pipeline(assembly=assembly, runtimes=()) as pipeline:
        _deploy_compute(pipeline)
        yield pipeline


def _deploy_compute(pipeline: Pipeline) -> None:
    """Create a cluster with a service whose last task was stopped, a scaler, and a log."""
    aws = pipeline.aws
    ecs, logs, lambdas = aws.client("ecs"), aws.client("logs"), aws.client("lambda")
    ecs.create_cluster(clusterName=CLUSTER)
    family = "worker"
    ecs.register_task_definition(
        family=family, containerDefinitions=[{"name": "webui", "image": "i", "memory": 64}]
    )
    ecs.create_service(cluster=CLUSTER, serviceName="web", taskDefinition=family, desiredCount=0)
    started = ecs.run_task(cluster=CLUSTER, taskDefinition=family, group="service:web")["tasks"]
    ecs.stop_task(cluster=CLUSTER, task=started[0]["taskArn"], reason="CannotPullContainerError")
    (scaler, *_) = lambdas.list_functions()["Functions"]
    group = f"/sd-on-ecs/{STACK}/{RUNTIME}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": 1, "message": "consumer started"}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    outputs = {
        "ClusterName": CLUSTER,
        "ScalerName": scaler["FunctionName"],
        "Services": json.dumps({"other": "none", RUNTIME: "web"}),
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=f"{STACK}-compute", TemplateBody=json.dumps(template))
    aws.client("ecr").create_repository(repositoryName="NAME")


@pytest.fixture(params=["replacement", "installed"])
def operator(request: pytest.FixtureRequest, deployed: Pipeline, tmp_path: Path) -> Operator:
    """Return an operator; the AWS CLI that is installed is used too, if there is one."""
    if request.param == "installed" and INSTALLED is None:
        pytest.skip("no AWS CLI is installed")
    # Version 1 sends commands of SQS to AWS, whatever AWS_ENDPOINT_URL says.
    installed = f"{INSTALLED} --endpoint-url {deployed.aws.endpoint_url}"
    program = installed if request.param == "installed" else REPLACEMENT
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    calls.mkdir()
    programs.mkdir()
    texts = {
        "aws": AWS.format(program=shlex.quote(program), replacement=shlex.quote(REPLACEMENT), calls=calls),
        "python": PYTHON.format(python=sys.executable),
    } | {name: OTHER_PROGRAM.format(name=name, calls=calls) for name in ("cdk", "make", "git")}
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / MODEL).write_bytes(b"weights")
    environment = deployed.aws.environment()
    own = {
        "PATH": f"{programs}:{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "AWS_PAGER": "",
        # Nothing that is not for the emulator leaves this machine.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    return Operator(tmp_path, environment | own)


def _script(document: str) -> str:
    return "".join(block.text for block in shell_blocks(document))


VARIABLES: Final = shell_blocks(OPERATIONS)[0].text


def test_the_commands_of_operations_run(operator: Operator, deployed: Pipeline) -> None:
    calls = operator.run(_script(OPERATIONS))
    _check_calls(calls)
    names = {" ".join(call.words[:2]) for call in calls}
    assert {"apigateway update-api-key", "ecs update-service", "sns subscribe", "cdk diff"} <= names
    aws, outputs = deployed.aws, deployed.deployment.outputs
    keys = aws.client("apigateway").get_api_keys()["items"]
    assert [key["enabled"] for key in keys if key["id"] == outputs["ApiKeyId"]] == [True]


def test_the_commands_of_deploy_run(operator: Operator, deployed: Pipeline) -> None:
    script = _script(DEPLOY).replace("MODEL_BUCKET", deployed.deployment.outputs["ModelBucket"])
    calls = operator.run(VARIABLES + script)
    _check_calls(calls)
    cdk = [call.words[1:3] for call in calls if call.words[0] == "cdk"]
    assert cdk == [["bootstrap"], *(["deploy", name] for name in ("Core", "Compute"))] + [
        ["destroy", name] for name in ("Compute", "Core")
    ]
    printed = {" ".join(call.words[:2]): call.output for call in calls}
    assert "CannotPullContainerError" in printed["ecs describe-tasks"]
    assert "consumer started" in printed["logs tail"]


def test_the_commands_of_the_api_send_the_callbacks_to_a_queue(
    operator: Operator, deployed: Pipeline
) -> None:
    calls = operator.run(
        VARIABLES + "".join(block.text for block in shell_blocks(API) if "aws " in block.text)
    )
    _check_calls(calls)
    sns, sqs = deployed.aws.client("sns"), deployed.aws.client("sqs")
    callback = json.dumps({"id": "a-task", "status": "completed"})
    sns.publish(TopicArn=deployed.deployment.outputs["sdNotificationOutputArn"], Message=callback)
    queue = sqs.get_queue_url(QueueName="image-results")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert [message["Body"] for message in received] == [callback]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=received[0]["ReceiptHandle"])


def test_the_commands_in_the_outputs_of_the_stack_run(operator: Operator, deployed: Pipeline) -> None:
    outputs = deployed.deployment.outputs
    commands = {name: text for name, text in outputs.items() if name.endswith("Command")}
    assert {"GetAPIKeyCommand", "GetShopAPIKeyCommand", "GetWebhookSecretCommand"} == commands.keys()
    printed = {}
    for name, command in commands.items():
        printed[name] = operator.run(command)[-1].output.strip()
    assert printed["GetAPIKeyCommand"] == deployed.deployment.api_key
    assert printed["GetWebhookSecretCommand"].startswith("whsec_")


def _check_calls(calls: list[Call]) -> None:
    assert [call.words for call in calls if "--query" in call.words and not call.output.strip()] == []
