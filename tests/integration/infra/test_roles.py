"""Permissions of the roles: each role can use only its own queue, topic, table and buckets."""

import json
from pathlib import Path

import pytest

from infra.settings.reading import parse
from runtimes.sdwebui.model_names import KNOWN_FOLDERS, START_FOLDERS
from tests.support.synthesis import Synthesis, synthesize
from tests.support.template import Template, listed, text

pytestmark = pytest.mark.xdist_group("infra")

# The only actions that may be allowed on `*`: AWS knows no resource for them.
ACTIONS_ON_ANY_RESOURCE = {
    "ecr:GetAuthorizationToken",  # a token for the account's registry; the repository is named apart
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}

# Actions whose resource may end in `*`: callers choose the keys of objects, and ECS the ids of its tasks.
PREFIXES_WITH_WILDCARDS = ("s3:", "ecs:GetTaskProtection", "ecs:UpdateTaskProtection")


def test_only_ecs_in_this_account_can_assume_the_workers_role(compute: Template) -> None:
    for runtime in ("sdruntime", "sddynamic"):
        (statement,) = compute.one("IAM::Role", f"{runtime}Role")["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        condition = statement["Condition"]
        assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        arn = text(condition["ArnLike"]["aws:SourceArn"])
        assert ":ecs:us-east-1:" in arn
        assert "AWS::AccountId" in arn


def test_a_worker_reads_only_the_folders_of_models_in_their_bucket(sd_on_eks: Synthesis) -> None:
    resources = _allowed(sd_on_eks.template("Compute"), "sdruntime", "s3:GetObject")
    bucket = "arn:aws:s3:::sdoneks-model-bucket-51a6"
    model_resources = {part for part in resources.split('"') if part.startswith(bucket)}
    folders = {f"{bucket}/{folder}/*" for folder in (*KNOWN_FOLDERS, *START_FOLDERS)}
    assert model_resources == folders | {f"{bucket}/styles.csv"}


def test_a_worker_writes_only_the_report_of_its_own_runtime_into_the_bucket_of_large_tasks(
    compute: Template,
) -> None:
    for runtime in ("sdruntime", "sddynamic"):
        resources = [
            text(resource)
            for name, statement in compute.statements()
            if name.startswith(f"{runtime}Role") and "s3:PutObject" in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        ]
        assert [f"/catalogue/{runtime}.json" in arn for arn in resources if "LargeTasks" in arn] == [True]


def test_a_worker_decrypts_with_the_keys_of_the_settings_for_s3_and_secrets_only(compute: Template) -> None:
    decrypting = [
        statement
        for name, statement in compute.statements()
        if name.startswith("sdruntimeRole") and "kms:Decrypt" in listed(statement["Action"])
    ]
    assert [(statement["Action"], statement["Resource"]) for statement in decrypting] == [
        ("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555")
    ]
    (condition,) = (statement["Condition"] for statement in decrypting)
    services = [text(service) for service in condition["StringEquals"]["kms:ViaService"]]
    assert ["s3" in services[0], "secretsmanager" in services[1], len(services)] == [True, True, 2]


def test_a_folder_that_is_synced_can_be_read() -> None:
    settings, _ = parse("modelsRuntime: [{name: r, modelFilename: m, syncFolders: [Lora/ours, More]}]")
    folders = settings.models_runtime[0].engine().model_folders
    assert {"Lora/ours", "More", *KNOWN_FOLDERS} == set(folders)


def test_the_vpc_endpoints_allow_changes_only_to_our_buckets_and_table(compute: Template) -> None:
    endpoints = compute.properties("EC2::VPCEndpoint")
    allowed_actions: dict[str, str] = {}
    for endpoint in endpoints:
        for statement in endpoint["PolicyDocument"]["Statement"]:
            for action in listed(statement["Action"]):
                allowed_actions[action] = allowed_actions.get(action, "") + json.dumps(statement["Resource"])
    assert allowed_actions.keys() == {
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:Query",
    }
    # Callers' links lead to buckets of their own.
    assert '"*"' in allowed_actions["s3:GetObject"]
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert "OutputBucket" in allowed_actions[action]
        assert not any(name in allowed_actions[action] for name in ("Uploads", "Models"))
    assert "LargeTasks" not in allowed_actions["s3:DeleteObject"]
    report_statements = [part for part in allowed_actions["s3:PutObject"].split("]]") if "LargeTasks" in part]
    assert len(report_statements) == 1
    assert "/catalogue/*" in report_statements[0]
    assert all(
        name in allowed_actions["s3:ListBucket"] for name in ("Output", "Uploads", "Models", "LargeTasks")
    )
    assert '"*"' not in allowed_actions["s3:ListBucket"]
    assert "StateTable" in allowed_actions["dynamodb:PutItem"]


def test_the_vpc_endpoints_allow_everything_that_a_worker_does(compute: Template) -> None:
    allowed_by_endpoints = {
        action
        for endpoint in compute.properties("EC2::VPCEndpoint")
        for statement in endpoint["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }
    allowed_to_the_worker = {
        action
        for name, statement in compute.statements()
        if name.startswith("sdruntimeRole")
        for action in listed(statement["Action"])
        if action.startswith(("s3:", "dynamodb:"))
    }
    assert allowed_to_the_worker <= allowed_by_endpoints


def test_a_shell_in_a_container_is_logged_and_grants_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "exec.yaml"
    config.write_text("enableExecuteCommand: true\nmodelsRuntime: [{name: r, modelFilename: m}]\n")
    synthesis = synthesize(tmp_path / "out", config=config)
    assert synthesis.status == 0, synthesis.output
    compute = synthesis.template("Compute")
    assert compute.one("ECS::Service")["EnableExecuteCommand"] is True
    configuration = compute.one("ECS::Cluster")["Configuration"]["ExecuteCommandConfiguration"]
    assert configuration["Logging"] == "OVERRIDE"
    (group,) = compute.resources("Logs::LogGroup", "Shells")
    assert configuration["LogConfiguration"]["CloudWatchLogGroupName"] == {"Ref": group}
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert group in _allowed(compute, "rRole", action)
        assert '"*"' not in _allowed(compute, "rRole", action)


def test_a_worker_reads_only_the_secrets_in_the_settings(tmp_path: Path, compute: Template) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:theirs/photos-a1B2c3"
    config = tmp_path / "credentials.yaml"
    config.write_text(
        "inputs: {credentials: {a.example: photos/token, 'b.example:8443': photos/token, "
        f"c.example: '{arn}'}}}}\n"
        "modelsRuntime: [{name: r, modelFilename: m}]\n"
    )
    synthesis = synthesize(tmp_path / "out", config=config)
    assert synthesis.status == 0, synthesis.output
    allowed_secrets = _allowed(synthesis.template("Compute"), "rRole", "secretsmanager:GetSecretValue")
    assert allowed_secrets.count("secretsmanager") == 2
    assert ":secret:photos/token-??????" in allowed_secrets
    assert arn in allowed_secrets
    (definition,) = synthesis.template("Compute").properties("ECS::TaskDefinition")
    environment = {
        variable["Name"]: variable["Value"]
        for container in definition["ContainerDefinitions"]
        if container["Name"] == "consumer"
        for variable in container["Environment"]
    }
    assert json.loads(environment["INPUT_CREDENTIALS"])["b.example:8443"] == "photos/token"
    actions_without_credentials = [
        action for _, statement in compute.statements() for action in listed(statement["Action"])
    ]
    assert not any(action.startswith("secretsmanager:") for action in actions_without_credentials)


@pytest.mark.parametrize("stack", ["Core", "Compute"])
def test_policies_have_no_wildcards_except_for_the_listed_ones(standard: Synthesis, stack: str) -> None:
    for policy, statement in standard.template(stack).statements():
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions), (policy, actions)
        for resource in map(text, listed(statement["Resource"])):
            if resource == "*":
                assert set(actions) <= ACTIONS_ON_ANY_RESOURCE, (policy, actions)
            elif "*" in resource:
                assert all(action.startswith(PREFIXES_WITH_WILDCARDS) for action in actions), (
                    policy,
                    resource,
                    actions,
                )


def _allowed(template: Template, role: str, action: str) -> str:
    resources = [
        statement["Resource"]
        for name, statement in template.statements()
        if name.startswith(role) and action in listed(statement["Action"])
    ]
    assert resources, f"{role} may not {action}"
    return json.dumps(resources)


def test_a_worker_can_use_only_its_own_queue(compute: Template) -> None:
    for action in (
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
    ):
        resources = _allowed(compute, "sdruntimeRole", action)
        assert "sdruntime" in resources
        assert "sddynamic" not in resources


def test_a_worker_can_write_only_outputs_and_its_report(compute: Template) -> None:
    for action in ("s3:PutObject", "s3:DeleteObject"):
        resources = _allowed(compute, "sdruntimeRole", action)
        assert "Output" in resources
        assert not any(bucket in resources for bucket in ("Uploads", "Models"))
    assert "LargeTasks" not in _allowed(compute, "sdruntimeRole", "s3:DeleteObject")


def test_a_worker_can_publish_results_but_no_tasks(compute: Template) -> None:
    """A worker that may publish tasks could start an endless loop of tasks."""
    resources = _allowed(compute, "sdruntimeRole", "sns:Publish")
    assert "Results" in resources
    assert "TasksTopic" not in resources


def test_a_worker_can_query_only_the_rows_of_workers(compute: Template) -> None:
    (statement,) = (
        statement
        for name, statement in compute.statements()
        if name.startswith("sdruntimeRole") and "dynamodb:Query" in listed(statement["Action"])
    )
    keys = {"dynamodb:LeadingKeys": ["#workers#sdruntime"]}
    assert statement["Condition"] == {"ForAllValues:StringEquals": keys}
    assert "/index/pending" in text(statement["Resource"])


def test_a_worker_cannot_scan_or_delete_rows(compute: Template) -> None:
    actions = {
        action
        for name, statement in compute.statements()
        if name.startswith("sdruntimeRole")
        for action in listed(statement["Action"])
        if action.startswith("dynamodb:")
    }
    assert actions == {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"}


def test_the_scaler_can_change_only_the_services(compute: Template) -> None:
    resources = _allowed(compute, "Scaler", "ecs:UpdateService")
    services = compute.resources("ECS::Service")
    assert all(name in resources for name in services)


def test_no_function_can_read_uploads(core: Template) -> None:
    for name, statement in core.statements():
        if "Uploads" in json.dumps(statement["Resource"]):
            assert listed(statement["Action"]) == ["s3:PutObject"], name
