"""Settings of models, for `sync-models` and as a part of the consumer's settings."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from container.consumer.model_store.bucket import LOOKUP_SECONDS
from domain.routing import DEFAULT_TYPE, Runtime

T = TypeVar("T")


class BadSettings(ValueError):
    """Settings are missing or invalid; the message names them in one line."""


class ModelSettings(BaseSettings):
    """The settings of models, each with a type."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    runtime_name: str = ""
    runtime_type: str = Field(default=DEFAULT_TYPE, min_length=1)
    model_bucket: str = ""
    model_dir: str = ""
    model_filename: str = ""
    refiner_filename: str = ""
    """A second checkpoint of a static runtime; synced like the first."""
    model_cache_bytes: int = Field(default=0, ge=0)
    """Disk budget of the volume; 0 uses as much as its disk has."""
    model_lookup_seconds: float = Field(default=LOOKUP_SECONDS, ge=0)
    """How long a listing of the model bucket is used."""
    checkpoints_in_memory: int = Field(default=0, ge=0, le=100)
    """How many checkpoints the engine keeps loaded; 0 keeps its own setting."""
    sync_folders: str | None = None
    """Folders that `sync-models` downloads completely, separated by commas; unset for those of the runtime's
    type."""
    engine_settings_file: str = ""
    """The engine's settings file, to which `sync-models` adds `engine_settings`; empty for none."""
    engine_settings: Annotated[dict[str, Any], NoDecode] = Field(default={})
    """Settings of the engine and their values, as JSON."""
    engine_folders: Annotated[dict[str, str], NoDecode] = Field(default={})
    """Settings whose value is a folder of models, as the engine finds it; added if the folder has files."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")

    @field_validator("engine_settings", "engine_folders", mode="before")
    @classmethod
    def _parse_engine_json(cls, value: Any) -> Any:
        return (json.loads(value) if value else {}) if isinstance(value, str) else value

    @property
    def folders(self) -> list[str] | None:
        """Return the folders to sync, None for those of the runtime's type."""
        if self.sync_folders is None:
            return None
        return [part for part in (part.strip().strip("/") for part in self.sync_folders.split(",")) if part]

    @model_validator(mode="after")
    def _check_dir(self) -> Self:
        if self.model_bucket and not self.model_dir:
            raise ValueError("MODEL_DIR: needed where MODEL_BUCKET is set")
        if any(part in ("", ".", "..") for folder in self.folders or () for part in folder.split("/")):
            raise ValueError("SYNC_FOLDERS: names of folders in the model bucket are expected")
        return self

    @property
    def runtime(self) -> Runtime:
        """Return the runtime as its type's rules know it, as far as `sync-models` needs it."""
        return Runtime(
            name=self.runtime_name,
            type=self.runtime_type,
            model_filename=self.model_filename or None,
            refiner_filename=self.refiner_filename or None,
        )

    def select_by_type(self, registry: Mapping[str, T]) -> T:
        """Return the registry's entry for the runtime's type; raise BadSettings for an unknown type."""
        try:
            return registry[self.runtime_type]
        except KeyError:
            raise BadSettings(f"RUNTIME_TYPE: one of {', '.join(registry)} is expected") from None

    @classmethod
    def read(cls) -> Self:
        """Return the settings; raise BadSettings with one line that names each invalid one."""
        try:
            return cls()
        except ValidationError as invalid:
            raise BadSettings(describe_invalid(invalid)) from None


def describe_invalid(invalid: ValidationError) -> str:
    """Return one line that names each invalid setting; rules over several settings name them themselves."""
    faults = ((".".join(map(str, error["loc"])).upper(), error["msg"]) for error in invalid.errors())
    return "; ".join(
        f"{name}: {text}" if name else text.removeprefix("Value error, ") for name, text in faults
    )
