"""The images of engines, wherever the settings say that they come from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.assets import ROOT
from infra.runtime_types.engine import Engine
from infra.runtime_types.image import Image, Repository

_PUBLIC_ECR: Final = "public.ecr.aws"
_DIGEST_CHARACTERS: Final = 12
# Where ECR does not support rules for pull-through caches (ECR user guide, "Considerations").
_WITHOUT_CACHE: Final = ("cn-", "us-gov-")


class EngineImages(Construct):
    """Gives each engine its image, and tasks the permission to pull it.

    An image in ECR's public registry that has a tag is pulled through a cache in this account: the first
    start imports it, and later ones pull its layers by the S3 endpoint instead of the NAT gateway. ECR
    imports by tag only, so an image that is named by its digest alone is pulled from the public registry at
    each start. `caches` has the repositories of the cache, as images without a registry (`PREFIX/NAME:TAG`).
    """

    def __init__(self, scope: Construct, id_: str, *, deployment: str, kms_keys: Sequence[str]) -> None:
        super().__init__(scope, id_)
        # A prefix of this deployment's own, because another rule in the account may have a common one.
        digest = hashlib.sha256(deployment.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        self._prefix = f"sd-on-ecs-{digest}"
        self._kms_keys = list(kms_keys)
        self._rule: ecr.CfnPullThroughCacheRule | None = None
        self._built: dict[str, assets.DockerImageAsset] = {}
        self._repositories: dict[str, ecr.IRepository] = {}
        self.caches: list[str] = []

    def image(self, engine: Engine, definition: ecs.TaskDefinition) -> ecs.ContainerImage:
        """Return the image of an engine, which the definition's tasks may pull."""
        image = Image(engine.image)
        if image.folder is not None:
            return ecs.ContainerImage.from_docker_image_asset(self._asset(image.folder))
        if engine.credentials_secret is not None:
            secret = self._secret(engine.credentials_secret, definition)
            return ecs.ContainerImage.from_registry(engine.image, credentials=secret)
        if image.private is not None:
            repository = self._private(image.private)
            return ecs.ContainerImage.from_ecr_repository(repository, image.reference)
        region = cdk.Stack.of(self).region
        if image.public_ecr and image.tag and not region.startswith(_WITHOUT_CACHE):
            repository = self._cache(image.public_ecr)
            self.caches.append(f"{self._prefix}/{image.public_ecr}:{image.tag}")
            definition.add_to_execution_role_policy(
                iam.PolicyStatement(
                    actions=["ecr:BatchImportUpstreamImage"], resources=[repository.repository_arn]
                )
            )
            return ecs.ContainerImage.from_ecr_repository(repository, image.reference)
        return ecs.ContainerImage.from_registry(engine.image)

    def _asset(self, folder: str) -> assets.DockerImageAsset:
        if folder not in self._built:
            self._built[folder] = assets.DockerImageAsset(
                self,
                f"Built-{folder.strip('./').replace('/', '-')}",
                directory=str(Path(ROOT, folder)),
                platform=assets.Platform.LINUX_AMD64,
            )
        return self._built[folder]

    def _secret(self, secret: str, definition: ecs.TaskDefinition) -> secretsmanager.ISecret:
        if self._kms_keys:
            service = f"secretsmanager.{cdk.Aws.REGION}.amazonaws.com"
            definition.add_to_execution_role_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt"],
                    resources=self._kms_keys,
                    conditions={"StringEquals": {"kms:ViaService": service}},
                )
            )
        scope = Construct(definition, "ImageCredentials")
        if secret.startswith("arn:"):
            return secretsmanager.Secret.from_secret_complete_arn(scope, "Secret", secret)
        return secretsmanager.Secret.from_secret_name_v2(scope, "Secret", secret)

    def _private(self, place: Repository) -> ecr.IRepository:
        arn = f"arn:{cdk.Aws.PARTITION}:ecr:{place.region}:{place.account}:repository/{place.name}"
        if arn not in self._repositories:
            self._repositories[arn] = ecr.Repository.from_repository_attributes(
                self,
                f"{place.account}-{place.region}-{place.name.replace('/', '-')}",
                repository_arn=arn,
                repository_name=place.name,
            )
        return self._repositories[arn]

    def _cache(self, name: str) -> ecr.IRepository:
        """Return the repository that the cache fills; tasks need not create it."""
        if self._rule is None:
            self._rule = ecr.CfnPullThroughCacheRule(
                self, "Rule", ecr_repository_prefix=self._prefix, upstream_registry_url=_PUBLIC_ECR
            )
        if name not in self._repositories:
            repository = ecr.Repository(
                self,
                f"Cache-{name.replace('/', '-')}",
                repository_name=f"{self._prefix}/{name}",
                empty_on_delete=True,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
            repository.node.add_dependency(self._rule)
            self._repositories[name] = repository
        return self._repositories[name]
