"""Base class for the sections of `config.yaml`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """A mapping that allows known keys only; the file writes them in camel case."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False
    )


SecretName = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9/_+=.@-]{1,512}"
        r"|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,512}-[A-Za-z0-9]{6})$"
    ),
]
"""A secret in Secrets Manager: its name, or its whole ARN for a secret of another account."""
