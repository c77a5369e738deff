"""Secrets Manager in memory, for tests that count its calls."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError


class FakeSecrets:
    """Returns the texts of `secrets`; other names raise the error `code`."""

    def __init__(self, secrets: Mapping[str, str], code: str = "ResourceNotFoundException") -> None:
        self.secrets = dict(secrets)
        self.code = code
        self.requested_names: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return a secret as boto3 does."""
        self.requested_names.append(SecretId)
        if SecretId not in self.secrets:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetSecretValue")
        return {"SecretString": self.secrets[SecretId]}
