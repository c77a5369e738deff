"""Find the deployment to call: flags, the environment, a profile, or a running `make local`."""

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from sd_on_ecs.errors import InputError, NotConfigured

ENDPOINT: Final = "SD_ON_ECS_ENDPOINT"
KEY: Final = "SD_ON_ECS_KEY"
PROFILE: Final = "SD_ON_ECS_PROFILE"
CONFIG: Final = "SD_ON_ECS_CONFIG"
"""The file with the profiles, if it is not in the usual place."""

LOCAL: Final = "local"
"""The profile that stands for a running `make local`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach a deployment, and where its models are."""

    endpoint: str
    key: str = field(repr=False)
    stack: str | None = None
    region: str | None = None
    aws_profile: str | None = None
    aws_endpoint_url: str | None = None
    model_bucket: str | None = None
    source: str = ""
    """Where this was found, for people."""


def normalize_endpoint(endpoint: str) -> str:
    """Return an endpoint without slashes at its end; raise `InputError` if it is not a web address."""
    address = endpoint.strip().rstrip("/")
    if not address.startswith(("https://", "http://")):
        raise InputError(f"the endpoint {endpoint!r} does not begin with https:// or http://")
    try:
        host = httpx.URL(address).host
    except httpx.InvalidURL:
        host = ""
    if not host:
        raise InputError(f"the endpoint {endpoint!r} is no web address")
    return address


def normalize_key(key: str) -> str:
    """Return an API key without the white space around it, as a file or a paste may add it.

    Raise `NotConfigured` for what no header can contain. The error does not show the key.
    """
    normalized = key.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", normalized):
        reason = "has a space, a line break or a character that is not ASCII" if normalized else "is empty"
        raise NotConfigured(f"the API key {reason}; copy it again (--key, {KEY} or `sd-on-ecs login STACK`)")
    return normalized


def find_connection(
    *,
    environment: Mapping[str, str],
    endpoint: str | None = None,
    key: str | None = None,
    profile: str | None = None,
) -> Connection:
    """Return the first one of: the parameters, the environment, a profile, a running `make local`.

    Raise `NotConfigured` if there is none, or if the named profile does not exist. Endpoint and key belong
    together: a key must not be sent to the endpoint of another deployment.
    """
    if profile is None:
        endpoint, key = endpoint or environment.get(ENDPOINT), key or environment.get(KEY)
        profile = environment.get(PROFILE)
    if endpoint and key:
        return Connection(endpoint=endpoint, key=key, source="options or environment")
    if endpoint or key:
        missing = f"--key or {KEY}" if endpoint else f"--endpoint or {ENDPOINT}"
        raise NotConfigured(f"{'an endpoint' if endpoint else 'a key'} is given, but not {missing}")
    if profile == LOCAL:
        found = running_local()
        if found is None:
            raise NotConfigured("no `make local` is running on this machine")
        return found
    profiles = Profiles(profiles_file(environment))
    connection = profiles.named(profile) if profile else profiles.default() or running_local()
    if connection is None:
        raise NotConfigured(
            f"no endpoint is known: run `sd-on-ecs login STACK`, set {ENDPOINT} and {KEY}, "
            "or start `make local`"
        )
    return connection


def profiles_file(environment: Mapping[str, str]) -> Path:
    """Return the path of the file with the profiles."""
    named = environment.get(CONFIG)
    return Path(named) if named else Path(typer.get_app_dir("sd-on-ecs")) / "profiles.json"


class Profiles:
    """The deployments that `login` has stored, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def named(self, name: str) -> Connection:
        """Return a profile; raise `NotConfigured` if it does not exist."""
        stored = self._read()["profiles"]
        if name not in stored:
            known = ", ".join(sorted(stored)) or "none"
            raise NotConfigured(f"there is no profile {name!r}; the profiles are: {known}")
        known_fields = {field: stored[name].get(field) for field in Connection.__dataclass_fields__}
        return Connection(**{**known_fields, "source": f"profile {name}"})

    def default(self) -> Connection | None:
        """Return the profile that is used if none is named, or None."""
        name = self._read()["default"]
        return self.named(name) if name else None

    def save(self, name: str, connection: Connection, *, default: bool) -> None:
        """Store a profile under a name; the first one becomes the default.

        Raise `InputError` if the file cannot be written.
        """
        stored = self._read()
        fields = {field: value for field, value in asdict(connection).items() if value and field != "source"}
        stored["profiles"][name] = fields
        if default or not stored["default"]:
            stored["default"] = name
        try:
            self._write(stored)
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}") from None

    def _write(self, stored: Mapping[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".part")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 -- it is a descriptor
            json.dump(stored, file, indent=2)
            file.write("\n")
        partial.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            profiles = _complete_profiles(stored)
        except FileNotFoundError:
            return {"default": None, "profiles": {}}
        except (OSError, ValueError) as error:
            raise NotConfigured(f"{self._path} cannot be read: {error}") from None
        return {"default": stored.get("default"), "profiles": profiles}


def _complete_profiles(stored: Any) -> dict[str, Any]:
    """Return the profiles in a document; raise `ValueError` if one lacks what a connection needs."""
    profiles = (stored.get("profiles") or {}) if isinstance(stored, dict) else None
    if not isinstance(profiles, dict):
        raise ValueError("it has no object `profiles`")  # noqa: TRY004 -- the file has a wrong value
    for name, profile in profiles.items():
        fields = profile if isinstance(profile, dict) else {}
        if not all(isinstance(fields.get(field), str) for field in ("endpoint", "key")):
            raise ValueError(f"the profile {name!r} has no endpoint or no key")
    return profiles


def running_local() -> Connection | None:
    """Return the `make local` of this user that was started last, or None."""
    if not hasattr(os, "getuid"):
        return None
    folder = Path(tempfile.gettempdir()) / f"sd-on-ecs-local-{os.getuid()}"
    try:
        details = folder.lstat()
    except FileNotFoundError:
        return None
    # The parent folder is everyone's: another user's folder of this name would lead to another user's server.
    private = stat.S_ISDIR(details.st_mode) and not details.st_mode & 0o077
    if details.st_uid != os.getuid() or not private:
        return None
    newest = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return next((found for path in newest if (found := _announced(path)) is not None), None)


def _announced(path: Path) -> Connection | None:
    """Return what a file says, if the process that wrote it is running."""
    try:
        os.kill(int(path.stem), 0)
        found = json.loads(path.read_text(encoding="utf-8"))
        return Connection(
            endpoint=found["endpoint"],
            key=found["key"],
            region=found["region"],
            aws_endpoint_url=found["aws_endpoint_url"],
            model_bucket=found["model_bucket"],
            source="make local",
        )
    except (OSError, ValueError, KeyError):
        return None
