"""Settings of models, for `sync-models` and as a part of the consumer's settings."""

from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from container.consumer.model_store.bucket import LOOKUP_SECONDS
from runtimes.sdwebui.model_names import START_FOLDERS


class ModelSettings(BaseSettings):
    """The settings of models, each with a type."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    runtime_name: str = ""
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
    """How many checkpoints SD Web UI keeps loaded (its `sd_checkpoints_limit`); 0 keeps its own setting."""
    sync_folders: str = ",".join(START_FOLDERS)
    """Folders that `sync-models` downloads completely, separated by commas."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")

    @property
    def folders(self) -> list[str]:
        """Return the folders to sync."""
        return [part for part in (part.strip().strip("/") for part in self.sync_folders.split(",")) if part]

    @model_validator(mode="after")
    def _check_dir(self) -> Self:
        if self.model_bucket and not self.model_dir:
            raise ValueError("MODEL_DIR: needed where MODEL_BUCKET is set")
        if any(part in ("", ".", "..") for folder in self.folders for part in folder.split("/")):
            raise ValueError("SYNC_FOLDERS: names of folders in the model bucket are expected")
        return self

    @classmethod
    def read(cls) -> Self:
        """Return the settings; raise ValueError with one line that names each invalid one."""
        try:
            return cls()
        except ValidationError as invalid:
            raise ValueError(describe_invalid(invalid)) from None


def describe_invalid(invalid: ValidationError) -> str:
    """Return one line that names each invalid setting; rules over several settings name them themselves."""
    faults = ((".".join(map(str, e["loc"])).upper(), e["msg"]) for e in invalid.errors())
    return "; ".join(
        f"{name}: {text}" if name else text.removeprefix("Value error, ") for name, text in faults
    )
