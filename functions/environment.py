"""The functions' environment, read once into one typed object."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from domain.routing import Runtimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Hold what every function is told by its deployment; a field is the variable's name in lower case."""

    task_topic_arn: str
    result_topic_arn: str
    output_bucket: str
    task_bucket: str
    task_table: str
    runtimes: Runtimes

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; raise RuntimeError naming every one that is missing."""
        names = cls.names()
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise RuntimeError(f"environment variables are missing: {', '.join(missing)}")
        values = {
            name.lower(): Runtimes.from_json(environ[name]) if name == "RUNTIMES" else environ[name]
            for name in names
        }
        return cls(**values)  # type: ignore[arg-type]  # the fields' names are the keys

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the variables."""
        return [field.name.upper() for field in fields(cls)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEnvironment(Environment):
    """Add what only the API needs."""

    upload_bucket: str
