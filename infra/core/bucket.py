"""A bucket as all of ours are."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct


class Bucket(Construct):
    """A private bucket that speaks TLS only and stays when the stack goes.

    It stays because its objects are someone's data, and because CloudFormation cannot delete a bucket
    with objects in it. `expires_after_days` maps a key prefix ("" is everything) to its lifetime.
    """

    def __init__(
        self, scope: Construct, id_: str, *, expires_after_days: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(scope, id_)
        expirations = [
            s3.LifecycleRule(prefix=prefix or None, expiration=cdk.Duration.days(days))
            for prefix, days in (expires_after_days or {}).items()
        ]
        # Parts of an upload that never ended are invisible and cost money for ever.
        unfinished = s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(1))
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[*expirations, unfinished],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
