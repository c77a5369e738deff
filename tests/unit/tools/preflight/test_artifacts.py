"""Checks before a deployment: the CDK's bootstrap stack, models, and images in the account's registry."""

import pytest

from tests.support.stubbed import StubbedClients
from tools.preflight.artifacts import bootstrap, models
from tools.preflight.finding import Verdict
from tools.preflight.images import images

RUNTIME = "modelsRuntime: [{name: r, modelFilename: a/m.safetensors, refinerFilename: r.safetensors}]"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def stubbed() -> StubbedClients:
    return StubbedClients()


@pytest.mark.parametrize(
    ("version", "verdict"), [("5", Verdict.FAILED), ("6", Verdict.OK), ("29", Verdict.OK)]
)
def test_an_old_bootstrap_is_named_with_the_command(
    stubbed: StubbedClients, version: str, verdict: Verdict
) -> None:
    name = "/cdk-bootstrap/hnb659fds/version"
    stubbed.add_response(
        "ssm", "get_parameter", {"Parameter": {"Name": name, "Value": version}}, {"Name": name}
    )
    (finding,) = bootstrap(stubbed.account(RUNTIME))
    assert finding.verdict is verdict
    assert ("cdk bootstrap aws://111122223333/us-east-1" in finding.text) == (verdict is Verdict.FAILED)


def test_a_missing_bootstrap_is_named_with_the_command(stubbed: StubbedClients) -> None:
    stubbed.add_error("ssm", "get_parameter", "ParameterNotFound")
    (finding,) = bootstrap(stubbed.account(RUNTIME))
    assert (finding.verdict, finding.text) == (
        Verdict.FAILED,
        "missing: run `npx cdk bootstrap aws://111122223333/us-east-1`",
    )


def test_a_missing_checkpoint_is_named_with_the_command(stubbed: StubbedClients) -> None:
    stubbed.add_response(
        "s3",
        "head_object",
        {"ContentLength": 4_270_000_000},
        {"Bucket": "b", "Key": "Stable-diffusion/a/m.safetensors"},
    )
    stubbed.add_error("s3", "head_object", "404")
    present, missing = models(stubbed.account(RUNTIME, outputs={"ModelBucket": "b"}))
    assert (present.verdict, present.text) == (Verdict.OK, "4.3 GB in b")
    assert (missing.verdict, missing.text) == (
        Verdict.FAILED,
        "not in b: run `aws s3 cp r.safetensors s3://b/Stable-diffusion/r.safetensors`",
    )


def test_models_wait_for_the_bucket_that_the_core_stack_creates(stubbed: StubbedClients) -> None:
    (finding,) = models(stubbed.account(RUNTIME))
    assert finding.verdict is Verdict.WARNING
    assert list(models(stubbed.account("modelsRuntime: [{name: r, dynamicModel: true}]"))) == []


def test_a_bucket_of_ones_own_is_looked_at_before_anything_is_deployed(stubbed: StubbedClients) -> None:
    for _ in range(2):
        stubbed.add_response("s3", "head_object", {"ContentLength": 1})
    findings = models(stubbed.account(f"modelBucketArn: arn:aws:s3:::mine\n{RUNTIME}"))
    assert [finding.verdict for finding in findings] == [Verdict.OK, Verdict.OK]


def _settings_with_image(image: str) -> str:
    return f"modelsRuntime: [{{name: r, modelFilename: m, webui: {{image: '{image}'}}}}]"


ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/webui"


@pytest.mark.parametrize(
    ("reference", "image_id"),
    [
        (":v3", {"imageTag": "v3"}),
        ("", {"imageTag": "latest"}),
        (f"@{DIGEST}", {"imageDigest": DIGEST}),
        (f":v3@{DIGEST}", {"imageDigest": DIGEST}),
    ],
)
def test_an_image_in_the_accounts_registry_is_looked_up_there(
    stubbed: StubbedClients, reference: str, image_id: dict[str, str]
) -> None:
    stubbed.add_response(
        "ecr",
        "describe_images",
        {"imageDetails": [{"imageDigest": DIGEST, "imageSizeInBytes": 4_100_000_000}]},
        {"registryId": "111122223333", "repositoryName": "team/webui", "imageIds": [image_id]},
    )
    (finding,) = images(stubbed.account(_settings_with_image(ECR + reference)))
    assert (finding.verdict, finding.text) == (Verdict.OK, f"{DIGEST}, 4.1 GB to download")


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_an_image_that_is_not_there_is_named(stubbed: StubbedClients, code: str) -> None:
    stubbed.add_error("ecr", "describe_images", code)
    (finding,) = images(stubbed.account(_settings_with_image(f"{ECR}:v3")))
    assert finding.verdict is Verdict.FAILED
    assert "has no image team/webui v3" in finding.text


def test_another_account_may_keep_its_images_to_itself(stubbed: StubbedClients) -> None:
    stubbed.add_error("ecr", "describe_images", "AccessDeniedException")
    (finding,) = images(stubbed.account(_settings_with_image(ECR.replace("1111", "4444", 1))))
    assert (finding.verdict, "policy in 444422223333" in finding.text) == (Verdict.WARNING, True)


def test_a_folder_needs_a_dockerfile(stubbed: StubbedClients) -> None:
    (existing,) = images(stubbed.account(_settings_with_image("./container/consumer")))
    (missing,) = images(stubbed.account(_settings_with_image("./docs")))
    assert (existing.verdict, missing.verdict) == (Verdict.OK, Verdict.FAILED)


@pytest.mark.parametrize(("exists", "verdict"), [(True, Verdict.OK), (False, Verdict.FAILED)])
def test_the_credentials_of_a_registry_must_exist(
    stubbed: StubbedClients, *, exists: bool, verdict: Verdict
) -> None:
    if exists:
        stubbed.add_response("secretsmanager", "describe_secret", {"Name": "hub"}, {"SecretId": "hub"})
    else:
        stubbed.add_error("secretsmanager", "describe_secret", "ResourceNotFoundException")
    settings = _settings_with_image("team/webui:1").replace("}}]", ", credentialsSecret: hub}}]")
    (finding,) = images(stubbed.account(settings))
    assert finding.verdict is verdict
