"""The core stack's template: queues, topics, buckets, table and API."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from domain.api_routes import CONSOLE, ROUTES, WAIT
from domain.limits import (
    API_TIMEOUT_SECONDS,
    LARGE_CONTENT_DAYS,
    MAX_RECEIVE_COUNT,
    QUEUE_RETENTION_DAYS,
    VISIBILITY_SECONDS,
)
from functions.environment import ApiEnvironment
from infra.core.rest_api import RestApi
from infra.core.stack import CoreStack
from infra.settings.reading import parse
from runtimes.comfyui.needs import FOLDER_KINDS
from runtimes.sdwebui.model_names import KNOWN_FOLDERS
from tests.support.deployment import TABLE
from tests.support.synthesis import Synthesis
from tests.support.template import Template, listed, text

pytestmark = pytest.mark.xdist_group("infra")

RUNTIMES = ["sdruntime", "sddynamic"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_queue_gets_only_the_tasks_of_its_runtime_with_raw_delivery(core: Template, runtime: str) -> None:
    (queue,) = core.resources("SQS::Queue", f"{runtime}Queue")
    (subscription,) = (
        subscription
        for subscription in core.properties("SNS::Subscription")
        if queue in text(subscription["Endpoint"])
    )
    assert subscription["FilterPolicy"] == {"runtime": [runtime]}
    assert subscription["RawMessageDelivery"] is True
    assert "Undelivered" in text(subscription["RedrivePolicy"]["deadLetterTargetArn"])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_settings_of_a_queue_are_the_constants_of_the_domain(core: Template, runtime: str) -> None:
    queue = core.one("SQS::Queue", f"{runtime}Queue")
    (dead,) = core.resources("SQS::Queue", f"{runtime}DeadLetters")
    assert queue["VisibilityTimeout"] == VISIBILITY_SECONDS
    assert queue["MessageRetentionPeriod"] == QUEUE_RETENTION_DAYS * 86400
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVE_COUNT
    assert dead in text(queue["RedrivePolicy"]["deadLetterTargetArn"])


def test_every_dead_letter_queue_has_a_consumer(core: Template) -> None:
    function = core.one("Lambda::Function", "DeadLetters")
    dead = {**core.resources("SQS::Queue", "DeadLetters"), **core.resources("SQS::Queue", "Undelivered")}
    assert len(dead) == len(RUNTIMES) + 1
    sources = core.properties("Lambda::EventSourceMapping")
    for name, queue in dead.items():
        (source,) = (candidate for candidate in sources if name in text(candidate["EventSourceArn"]))
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert queue["Properties"]["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_topics_and_queues_require_tls(core: Template) -> None:
    policies = [*core.properties("SNS::TopicPolicy"), *core.properties("SQS::QueuePolicy")]
    targets = len(core.resources("SNS::Topic")) + len(core.resources("SQS::Queue"))
    denied = [policy for policy in policies if '"aws:SecureTransport": "false"' in json.dumps(policy)]
    assert len(denied) == targets


def test_the_tasks_topic_accepts_256_kib(core: Template) -> None:
    """With a higher limit it could have no e-mail and HTTP subscribers."""
    assert all("MaximumMessageSize" not in topic for topic in core.properties("SNS::Topic"))


def test_buckets_are_private_encrypted_and_retained(core: Template) -> None:
    buckets = core.resources("S3::Bucket")
    assert len(buckets) == 4
    for bucket in buckets.values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        # Not when the first deployment fails: every try would leave its buckets behind.
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    policies = core.properties("S3::BucketPolicy")
    assert sum('"aws:SecureTransport": "false"' in json.dumps(policy) for policy in policies) == 4


def _lifetimes(core: Template, bucket: str) -> dict[str, int]:
    rules = core.one("S3::Bucket", bucket)["LifecycleConfiguration"]["Rules"]
    return {rule.get("Prefix", ""): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}


def test_content_and_uploads_are_kept_longer_than_messages(core: Template) -> None:
    assert LARGE_CONTENT_DAYS > 2 * QUEUE_RETENTION_DAYS
    assert _lifetimes(core, "LargeTasks")["content/"] == LARGE_CONTENT_DAYS
    assert _lifetimes(core, "Uploads")[""] == LARGE_CONTENT_DAYS
    assert _lifetimes(core, "LargeTasks")["dead-letters/"] > QUEUE_RETENTION_DAYS


def test_the_largest_request_is_limited_by_lambda(core: Template) -> None:
    (response,) = (
        gateway_response
        for gateway_response in core.properties("ApiGateway::GatewayResponse")
        if gateway_response["ResponseType"] == "REQUEST_TOO_LARGE"
    )
    assert "6 MB that Lambda takes" in text(response["ResponseTemplates"])


def test_outputs_expire_when_the_settings_say_so_and_models_never(core: Template, china: Synthesis) -> None:
    assert _lifetimes(core, "Output") == {"": 90}
    assert _lifetimes(china.template("Core"), "Output") == {}
    assert _lifetimes(core, "Models") == {}


def test_the_table_is_retained_and_its_rows_expire(core: Template) -> None:
    (table,) = core.resources("DynamoDB::Table").values()
    properties = table["Properties"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_table_has_the_keys_and_indexes_of_the_table_that_tests_make(core: Template) -> None:
    properties = core.one("DynamoDB::Table")

    def by_name(attribute: dict[str, str]) -> str:
        return attribute["AttributeName"]

    assert {name: properties[name] for name in TABLE} | {"AttributeDefinitions": ()} == TABLE | {
        "AttributeDefinitions": ()
    }
    assert sorted(properties["AttributeDefinitions"], key=by_name) == sorted(
        TABLE["AttributeDefinitions"], key=by_name
    )


def test_no_index_contains_attributes_that_a_heartbeat_writes(core: Template) -> None:
    written_by_heartbeats = {"progress", "lease_until", "worker", "cancel_requested"}
    for index in core.one("DynamoDB::Table")["GlobalSecondaryIndexes"]:
        assert written_by_heartbeats.isdisjoint(index["Projection"].get("NonKeyAttributes", []))
        assert index["Projection"]["ProjectionType"] != "ALL"


def test_functions_run_the_newest_python_on_arm(core: Template) -> None:
    functions = core.properties("Lambda::Function")
    assert len(functions) == 6
    for function in functions:
        assert (function["Runtime"], function["Architectures"]) == ("python3.14", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
    assert all(group["RetentionInDays"] == 30 for group in core.properties("Logs::LogGroup"))


def test_the_api_function_starts_from_a_snapshot(core: Template) -> None:
    """Only published versions have snapshots, so API Gateway calls the alias of one."""
    function = core.one("Lambda::Function", "ApiFunction")
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert function["Timeout"] == API_TIMEOUT_SECONDS
    (alias,) = core.resources("Lambda::Alias")
    called = [text(method["Integration"]["Uri"]) for method in core.properties("ApiGateway::Method")]
    assert [alias in uri for uri in called].count(False) == 2, "all but those that wait and the console"


def test_the_api_function_gets_all_variables_that_it_reads(core: Template) -> None:
    variables = core.one("Lambda::Function", "ApiFunction")["Environment"]["Variables"]
    assert set(ApiEnvironment.names()) <= set(variables)
    separator, joined_parts = variables["RUNTIMES"]["Fn::Join"]
    runtimes = json.loads(separator.join(part if isinstance(part, str) else "URL" for part in joined_parts))
    assert runtimes[0] == {
        "name": "sdruntime",
        "type": "sdwebui",
        "modelFilename": "v1-5-pruned-emaonly.safetensors",
        "dynamicModel": False,
        "queueUrl": "URL",
    }
    assert [runtime["name"] for runtime in runtimes] == RUNTIMES


def test_the_api_function_lists_the_folders_of_models_and_nothing_else_of_the_model_bucket(
    core: Template,
) -> None:
    variables = core.one("Lambda::Function", "ApiFunction")["Environment"]["Variables"]
    assert "Models" in text(variables["MODEL_BUCKET"])
    statements = [
        statement
        for policy in core.properties("IAM::Policy")
        if "ApiFunction" in text(policy["Roles"])
        for statement in policy["PolicyDocument"]["Statement"]
        if "Models" in text(statement["Resource"])
    ]
    [(action, prefixes)] = [
        (one["Action"], one["Condition"]["StringLike"]["s3:prefix"]) for one in statements
    ]
    assert action == "s3:ListBucket"
    assert set(prefixes) == {f"{folder}/*" for folder in (*KNOWN_FOLDERS, *FOLDER_KINDS)}


def test_the_api_function_reads_the_reports_and_nothing_else_of_the_task_bucket(core: Template) -> None:
    read = [
        text(resource)
        for policy in core.properties("IAM::Policy")
        if "ApiFunction" in text(policy["Roles"])
        for statement in policy["PolicyDocument"]["Statement"]
        if "s3:GetObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if "LargeTasks" in text(resource)
    ]
    assert len(read) == 1
    assert "/catalogue/*" in read[0]


def _paths(core: Template) -> dict[str, str]:
    resources = core.resources("ApiGateway::Resource")

    def path(name: str) -> str:
        properties = resources[name]["Properties"]
        parent = properties["ParentId"].get("Ref")
        return (path(parent) if parent in resources else "") + "/" + str(properties["PathPart"])

    return {name: path(name) for name in resources}


def test_exactly_the_routes_exist_and_require_the_key(core: Template) -> None:
    paths = _paths(core)
    methods = core.properties("ApiGateway::Method")
    routes = {(method["HttpMethod"], paths[method["ResourceId"]["Ref"]]) for method in methods}
    assert routes == {*ROUTES, CONSOLE}
    without_key = [paths[method["ResourceId"]["Ref"]] for method in methods if not method["ApiKeyRequired"]]
    assert without_key == [CONSOLE.path]


def test_the_console_has_a_throttle_of_its_own_and_no_rights(core: Template) -> None:
    """Requests without a key are outside the usage plan."""
    (setting,) = (
        method_setting
        for method_setting in core.one("ApiGateway::Stage")["MethodSettings"]
        if method_setting["ResourcePath"].endswith("console")
    )
    assert (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) == (5, 20)
    assert core.one("Lambda::Function", "Console")["MemorySize"] == 128
    policies = [policy for policy in core.properties("IAM::Policy") if "Console" in text(policy["Roles"])]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    services = {
        action.partition(":")[0] for statement in statements for action in listed(statement["Action"])
    }
    assert services == {"logs", "xray"}


def test_only_pages_of_the_api_may_use_the_buckets_from_a_browser(core: Template) -> None:
    rules = {
        name: bucket["Properties"]["CorsConfiguration"]["CorsRules"]
        for name, bucket in core.resources("S3::Bucket").items()
        if "CorsConfiguration" in bucket["Properties"]
    }
    assert {
        name.removesuffix("Bucket")[:6]: [rule["AllowedMethods"] for rule in bucket_rules]
        for name, bucket_rules in rules.items()
    } == {
        "Output": [["GET"]],
        "Upload": [["POST"]],
    }
    (api,) = core.resources("ApiGateway::RestApi")
    for bucket_rules in rules.values():
        (origin,) = bucket_rules[0]["AllowedOrigins"]
        assert origin["Fn::Join"][1][:3] == ["https://", {"Ref": api}, ".execute-api.us-east-1."]


def test_an_operator_can_switch_the_console_off() -> None:
    settings, _ = parse("APIGW: {console: false}\nmodelsRuntime: [{name: r, modelFilename: m}]")
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    CoreStack(app, "Core", settings=settings)
    template = Template(app.synth().get_stack_by_name("Core").template)
    assert CONSOLE.path not in _paths(template).values()
    assert not any("CorsConfiguration" in bucket for bucket in template.properties("S3::Bucket"))


def test_requests_that_wait_have_a_function_and_a_throttle_of_their_own(core: Template) -> None:
    paths = _paths(core)
    functions = {
        paths[method["ResourceId"]["Ref"]]: text(method["Integration"]["Uri"])
        for method in core.properties("ApiGateway::Method")
    }
    assert "WaitFunction" in functions.pop(WAIT.path)
    assert not any("WaitFunction" in uri for uri in functions.values())
    (setting,) = (
        setting
        for setting in core.one("ApiGateway::Stage")["MethodSettings"]
        if setting["ResourcePath"].endswith("wait")
    )
    assert (setting["HttpMethod"], setting["ThrottlingRateLimit"]) == ("GET", 2)
    assert setting["ThrottlingBurstLimit"] == 2, "a burst also occupies executions of the account"
    assert "~1{id}~1wait" in setting["ResourcePath"]


def test_the_throttle_of_requests_that_wait_is_a_setting() -> None:
    waits = "waits: {rateLimit: 0.2, burstLimit: 1}"
    settings, _ = parse(f"APIGW: {{{waits}}}\nmodelsRuntime: [{{name: r, modelFilename: m}}]")
    app = cdk.App()
    stack = cdk.Stack(app, "Core")
    arn = "arn:aws:lambda:us-east-1:000000000000:function:any"
    function = lambda_.Function.from_function_arn(stack, "Function", arn)
    RestApi(
        stack,
        "Api",
        function=function,
        wait_function=function,
        console_function=None,
        settings=settings.apigw,
        log_retention=logs.RetentionDays.ONE_DAY,
        tracing=False,
    )
    stage = Template(app.synth().get_stack_by_name("Core").template).one("ApiGateway::Stage")
    (setting,) = (each for each in stage["MethodSettings"] if each["ResourcePath"].endswith("wait"))
    assert (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) == (0.2, 1)


def test_bodies_are_not_base64(core: Template) -> None:
    """With binary types, Lambda would get base64, which leaves less room for the body."""
    assert "BinaryMediaTypes" not in core.one("ApiGateway::RestApi")


def test_the_key_is_never_logged(core: Template) -> None:
    """Events contain the key, so data tracing is off and the access log contains only its id."""
    stage = core.one("ApiGateway::Stage")
    assert all(setting["DataTraceEnabled"] is False for setting in stage["MethodSettings"])
    format_ = stage["AccessLogSetting"]["Format"]
    assert "$context.identity.apiKeyId" in format_
    assert '$context.identity.apiKey"' not in format_


def test_the_usage_plan_throttles(core: Template) -> None:
    assert core.one("ApiGateway::UsagePlan")["Throttle"] == {"RateLimit": 30, "BurstLimit": 50}


def test_each_key_is_in_the_usage_plan_and_has_a_command_that_prints_it(core: Template) -> None:
    keys = core.resources("ApiGateway::ApiKey")
    (plan,) = core.resources("ApiGateway::UsagePlan")
    joined = [
        (each["KeyId"]["Ref"], each["UsagePlanId"]["Ref"])
        for each in core.properties("ApiGateway::UsagePlanKey")
    ]
    assert sorted(joined) == sorted((key, plan) for key in keys)
    assert len(keys) == 2
    commands = {text(core.outputs[f"Get{name}APIKeyCommand"]) for name in ("", "Shop")}
    assert len(commands) == 2
    for key in keys:
        assert sum(key in command for command in commands) == 1
    assert "sdonecs-shop" in [key.get("Name") for key in core.properties("ApiGateway::ApiKey")]


def test_quota_and_concurrency_are_settings(core: Template) -> None:
    """Off by default: polling counts against a quota, and a new account cannot reserve concurrency."""
    assert "Quota" not in core.one("ApiGateway::UsagePlan")
    assert "ReservedConcurrentExecutions" not in core.one("Lambda::Function", "ApiFunction")
    settings, _ = parse(
        "APIGW: {quota: {limit: 5000, period: WEEK}, reservedConcurrency: 50}\n"
        "modelsRuntime: [{name: r, modelFilename: m}]"
    )
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    CoreStack(app, "Core", settings=settings)
    bounded = Template(app.synth().get_stack_by_name("Core").template)
    assert bounded.one("ApiGateway::UsagePlan")["Quota"] == {"Limit": 5000, "Period": "WEEK"}
    assert bounded.one("Lambda::Function", "ApiFunction")["ReservedConcurrentExecutions"] == 50


@pytest.mark.parametrize(
    ("type_", "status", "code"),
    [
        ("INVALID_API_KEY", "403", "forbidden"),
        ("THROTTLED", "429", "too_many_requests"),
        ("QUOTA_EXCEEDED", "429", "too_many_requests"),
        ("REQUEST_TOO_LARGE", "413", "too_large"),
        ("MISSING_AUTHENTICATION_TOKEN", "404", "not_found"),
        ("DEFAULT_4XX", None, "bad_request"),
        ("DEFAULT_5XX", None, "internal_error"),
    ],
)
def test_errors_of_api_gateway_have_the_form_of_the_apis_errors(
    core: Template, type_: str, status: str | None, code: str
) -> None:
    responses = core.properties("ApiGateway::GatewayResponse")
    (response,) = (candidate for candidate in responses if candidate["ResponseType"] == type_)
    assert response.get("StatusCode") == status
    error: dict[str, Any] = json.loads(response["ResponseTemplates"]["application/json"])["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["details"] == []
    assert error["request_id"] == "$context.requestId"


def test_the_sweep_is_scheduled(core: Template) -> None:
    rule = core.one("Events::Rule", "Sweep")
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert rule["Targets"][0]["RetryPolicy"] == {"MaximumRetryAttempts": 0}


def test_outputs_have_the_names_of_sd_on_eks(core: Template) -> None:
    """Scripts of its users read them."""
    names_of_sd_on_eks = {"FrontApiEndpoint", "GetAPIKeyCommand", "OutputS3Bucket", "sdNotificationOutputArn"}
    assert names_of_sd_on_eks | {"TaskTable"} <= set(core.outputs)
    assert text(core.outputs["GetAPIKeyCommand"]).count("aws apigateway get-api-key") == 1


def test_an_existing_model_bucket_can_be_used(sd_on_eks: Synthesis) -> None:
    core = sd_on_eks.template("Core")
    assert core.outputs["ModelBucket"] == "sdoneks-model-bucket-51a6"
    assert core.resources("S3::Bucket", "Models") == {}
