"""The secret that signs webhooks, with the previous one while it is being rotated."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from domain.clock import now

CACHE_SECONDS: Final = 300.0
"""How long a secret is used before it is read again."""

ROTATION_HOURS: Final = 24
"""How long both secrets sign after a rotation, so that receivers have time to switch to the new one."""


class SigningSecrets:
    """Reads the secrets with a client of Secrets Manager, and caches them for CACHE_SECONDS."""

    def __init__(
        self,
        client: Any,
        secret_id: str,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._monotonic = monotonic
        self._secrets: list[str] = []
        self._read_at = 0.0

    def __call__(self) -> list[str]:
        """Return the current secret and, for a day after a rotation, the previous one."""
        if not self._secrets or self._monotonic() - self._read_at > CACHE_SECONDS:
            self._secrets, self._read_at = self._read(), self._monotonic()
        return self._secrets

    def _read(self) -> list[str]:
        current = self._client.get_secret_value(SecretId=self._secret_id)
        secrets = [current["SecretString"]]
        if self._clock() - current["CreatedDate"] < timedelta(hours=ROTATION_HOURS):
            try:
                previous = self._client.get_secret_value(SecretId=self._secret_id, VersionStage="AWSPREVIOUS")
            except self._client.exceptions.ResourceNotFoundException:
                return secrets  # it was never rotated, or an operator has revoked the previous one
            secrets.append(previous["SecretString"])
        return secrets
