"""The page on which people try the API and see the images, which API Gateway serves at `/console`."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.console_page import console_code
from infra.core.rest_api import RestApi
from infra.function import Function, log_retention
from infra.settings.deployment import Settings

_TIMEOUT_SECONDS: Final = 5


class Console(Construct):
    """The function that serves the page; it has no rights but to write its logs.

    In the browser, the page calls the API and loads images from the buckets with presigned links.
    """

    def __init__(
        self, scope: Construct, id_: str, *, output: s3.IBucket, uploads: s3.IBucket, settings: Settings
    ) -> None:
        super().__init__(scope, id_)
        self._output = output
        self._uploads = uploads
        function = Function(
            self,
            "Function",
            code=console_code(),
            handler="functions.console.handler.handler",
            environment={"BUCKET_ORIGINS": " ".join([*_origins(output), *_origins(uploads)])},
            timeout_seconds=_TIMEOUT_SECONDS,
            memory_mib=128,
            log_level=settings.log_level,
            log_retention=log_retention(settings),
            tracing=settings.tracing,
        )
        self.entry: lambda_.IFunction = function.entry

    def allow_origin_of(self, api: RestApi) -> None:
        """Let pages that this API serves, and no others, send uploads to the buckets and read from them."""
        stack = cdk.Stack.of(self)
        # Not the API's own attribute `url`, which depends on the stage and thereby on the functions, which
        # depend on the buckets.
        origin = f"https://{api.api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        for bucket, method in ((self._output, s3.HttpMethods.GET), (self._uploads, s3.HttpMethods.POST)):
            if isinstance(bucket, s3.Bucket):
                bucket.add_cors_rule(allowed_methods=[method], allowed_origins=[origin], max_age=3600)


def _origins(bucket: s3.IBucket) -> list[str]:
    """Return the origins of presigned links; those of us-east-1 have no region in their host's name."""
    regional = f"https://{bucket.bucket_regional_domain_name}"
    return [regional, f"https://{bucket.bucket_name}.s3.amazonaws.com"]
