"""Where ECS tasks get the image of their engine from, and what their execution role may do for it."""

from typing import Any

import aws_cdk as cdk
import pytest

from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.runtime_types.image import Image, Repository
from infra.settings.reading import InvalidConfigError, parse
from tests.support.template import Template, listed, text

pytestmark = pytest.mark.xdist_group("infra")

DIGEST = "sha256:" + "a" * 64
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
IMAGES = {
    "own": "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/webui:v3",
    "other": f"444455556666.dkr.ecr.eu-west-1.amazonaws.com/webui@{DIGEST}",
    "folder": "./container/sdwebui/forge",
    "cached": "public.ecr.aws/alias/webui:1.10",
    "pinned": f"public.ecr.aws/alias/webui:1.10@{DIGEST}",
    "digest": f"public.ecr.aws/alias/webui@{DIGEST}",
    "hub": "team/webui:2",
}


@pytest.fixture(scope="module")
def compute() -> Template:
    runtimes = [
        f"{{name: {name}, modelFilename: m, webui: {{image: '{image}'"
        + (", credentialsSecret: hub-login" if name == "hub" else "")
        + "}}"
        for name, image in IMAGES.items()
    ]
    settings, _ = parse(f"kmsKeyArns: ['{KEY}']\nmodelsRuntime: [{', '.join(runtimes)}]")
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    core = CoreStack(app, "Core", settings=settings)
    ComputeStack(app, "Compute", settings=settings, core=core.resources)
    return Template(app.synth().get_stack_by_name("Compute").template)


def _engine(compute: Template, runtime: str) -> dict[str, Any]:
    (_, _, engine, _) = compute.one("ECS::TaskDefinition", f"{runtime}Task")["ContainerDefinitions"]
    engine_module: dict[str, Any] = engine
    return engine_module


def _image(compute: Template, runtime: str) -> str:
    return text(_engine(compute, runtime)["Image"])


def _allowed(compute: Template, runtime: str, action: str) -> str:
    return " ".join(
        text(statement["Resource"])
        for name, statement in compute.statements()
        if name.startswith(f"{runtime}TaskDefinitionExecutionRole") and action in listed(statement["Action"])
    )


def test_tasks_may_pull_an_image_of_this_account_and_of_another_one(compute: Template) -> None:
    assert _image(compute, "own").endswith('/team/webui:v3"]]}')
    assert ":us-east-1:111122223333:repository/team/webui" in _allowed(compute, "own", "ecr:BatchGetImage")
    assert f"/webui@{DIGEST}" in _image(compute, "other")
    assert ":eu-west-1:444455556666:repository/webui" in _allowed(compute, "other", "ecr:BatchGetImage")


def test_a_folder_is_built_when_it_is_deployed(compute: Template) -> None:
    assert "cdk-hnb659fds-container-assets-" in _image(compute, "folder")


@pytest.mark.parametrize(("runtime", "reference"), [("cached", ":1.10"), ("pinned", f"@{DIGEST}")])
def test_a_public_image_with_a_tag_is_pulled_through_the_accounts_cache(
    compute: Template, runtime: str, reference: str
) -> None:
    rule = compute.one("ECR::PullThroughCacheRule")
    (repository,) = compute.resources("ECR::Repository")
    properties = compute.one("ECR::Repository")
    assert rule["UpstreamRegistryUrl"] == "public.ecr.aws"
    assert properties["RepositoryName"] == f"{rule['EcrRepositoryPrefix']}/alias/webui"
    assert len(rule["EcrRepositoryPrefix"]) <= 30
    image = _image(compute, runtime)
    assert repository in image
    assert f'{reference}"]]}}' in image
    for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchImportUpstreamImage"):
        assert repository in _allowed(compute, runtime, action), action
    assert _allowed(compute, runtime, "ecr:CreateRepository") == ""


def test_the_cache_is_deleted_with_the_stack(compute: Template) -> None:
    (repository,) = compute.resources("ECR::Repository").values()
    assert repository["DeletionPolicy"] == "Delete"
    assert repository["Properties"]["EmptyOnDelete"] is True
    assert text(compute.outputs["CachedImages"]).count("alias/webui:1.10") == 2


def test_an_image_with_only_a_digest_is_pulled_from_the_public_registry(compute: Template) -> None:
    """ECR's cache imports images by tag only."""
    assert _image(compute, "digest") == IMAGES["digest"]
    assert _allowed(compute, "digest", "ecr:BatchImportUpstreamImage") == ""


def test_a_private_registry_gets_the_credentials_of_the_secret(compute: Template) -> None:
    engine = _engine(compute, "hub")
    assert engine["Image"] == IMAGES["hub"]
    assert "secret:hub-login" in text(engine["RepositoryCredentials"]["CredentialsParameter"])
    assert "secret:hub-login-??????" in _allowed(compute, "hub", "secretsmanager:GetSecretValue")
    assert _allowed(compute, "hub", "kms:Decrypt") == KEY
    assert _allowed(compute, "own", "secretsmanager:GetSecretValue") == ""


@pytest.mark.parametrize(
    ("name", "private", "tag", "reference", "pinned"),
    [
        ("webui", None, "latest", "latest", False),
        ("localhost:5000/webui", None, "latest", "latest", False),
        (f"a.example:443/x/webui:v1@{DIGEST}", None, "v1", DIGEST, True),
        (f"a.example/webui@{DIGEST}", None, None, DIGEST, True),
        (
            "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/a/b:v1",
            Repository("111122223333", "us-gov-west-1", "a/b"),
            "v1",
            "v1",
            False,
        ),
    ],
)
def test_names_of_images_are_parsed(
    name: str, private: Repository | None, *, tag: str | None, reference: str, pinned: bool
) -> None:
    image = Image(name)
    assert (image.folder, image.private) == (None, private)
    assert (image.tag, image.reference, image.pinned) == (tag, reference, pinned)


@pytest.mark.parametrize(
    "image", ["", "a b", "/abs/folder", "./a/../../b", "name:", "name@sha256:12", "name@latest"]
)
def test_an_invalid_image_name_is_refused(image: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"webui\.image: "):
        parse(f"modelsRuntime: [{{name: r, modelFilename: m, webui: {{image: '{image}'}}}}]")
