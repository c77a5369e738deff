"""Common configuration of all S3 buckets."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct


class Bucket(Construct):
    """A private bucket that requires TLS and is retained when the stack is deleted.

    It is retained because it contains users' data, and because CloudFormation cannot delete a bucket that
    contains objects. Only a first deployment that fails deletes it, because it is still empty then.
    `expires_after_days` maps key prefixes ("" for all objects) to lifetimes.
    """

    def __init__(
        self, scope: Construct, id_: str, *, expires_after_days: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(scope, id_)
        expirations = [
            s3.LifecycleRule(prefix=prefix or None, expiration=cdk.Duration.days(days))
            for prefix, days in (expires_after_days or {}).items()
        ]
        # Otherwise the parts of uploads that were never completed would be kept, and billed, forever.
        incomplete_uploads = s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(1))
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[*expirations, incomplete_uploads],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
