"""The environment variables of the Lambda functions, read once into a typed object."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final, Self

from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtimes
from domain.webhook import DEFAULT_RULES, WebhookRules

_READ: Final = {
    "RUNTIMES": Runtimes.from_json,
    "LIMITS": Limits.from_json,
    "WEBHOOKS_ALLOW": WebhookRules.from_text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The settings that every function gets; a field is named like its variable, in lower case."""

    task_topic_arn: str
    result_topic_arn: str
    output_bucket: str
    task_bucket: str
    task_table: str
    runtimes: Runtimes

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; raise RuntimeError naming all that are missing."""
        names = cls.names()
        optional = [field.name.upper() for field in fields(cls) if field.default is not MISSING]
        missing = [name for name in names if name not in optional and not environ.get(name)]
        if missing:
            raise RuntimeError(f"environment variables are missing: {', '.join(missing)}")
        values: dict[str, Any] = {
            name.lower(): _READ.get(name, str)(environ[name]) for name in names if environ.get(name)
        }
        return cls(**values)

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the variables."""
        return [field.name.upper() for field in fields(cls)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEnvironment(Environment):
    """The settings of the API."""

    upload_bucket: str
    model_bucket: str = ""
    """Without a model bucket, models are known only from the reports of a runtime's workers."""
    limits: Limits = DEFAULT_LIMITS
    webhook_queue_url: str = ""
    webhooks_allow: WebhookRules = DEFAULT_RULES
