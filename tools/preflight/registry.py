"""Look up images in registries: without credentials, by the HTTP API that all of them have."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx

_MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_TIMEOUT_SECONDS: Final = 30.0
_CHALLENGE: Final = re.compile(r'\b(\w+)="([^"]*)"')
# Names without a registry are Docker Hub's, whose own images are in `library`.
_DOCKER_HUB: Final = "registry-1.docker.io"


class ImageNotFound(Exception):
    """The registry does not have the image, or does not show it without credentials."""


@dataclass(frozen=True, kw_only=True)
class RegistryImage:
    """An image for linux/amd64: its digest, and the bytes that a start downloads."""

    digest: str
    size: int
    """In bytes."""


def split_image_name(name: str) -> tuple[str, str]:
    """Return the registry's host and the repository of an image's name."""
    host, _, rest = name.partition("/")
    if rest and ("." in host or ":" in host or host == "localhost"):
        return (_DOCKER_HUB if host == "docker.io" else host), rest
    return _DOCKER_HUB, name if rest else f"library/{name}"


def look_up(name: str, reference: str, *, scheme: str = "https") -> RegistryImage:
    """Find an image by its tag or digest; raise ImageNotFound or httpx.HTTPError."""
    host, repository = split_image_name(name)
    manifests = f"{scheme}://{host}/v2/{repository}/manifests"
    headers = {"accept": _MANIFESTS}
    with httpx.Client(headers=headers, timeout=_TIMEOUT_SECONDS, follow_redirects=True) as http:
        response = _get_manifest(http, f"{manifests}/{reference}")
        digest = response.headers.get("docker-content-digest", reference)
        manifest = response.json()
        if "manifests" in manifest:
            manifest = _get_manifest(http, f"{manifests}/{_amd64_digest(manifest['manifests'])}").json()
        return RegistryImage(digest=digest, size=sum(layer["size"] for layer in manifest["layers"]))


def _get_manifest(http: httpx.Client, url: str) -> httpx.Response:
    response = http.get(url)
    if response.status_code == httpx.codes.UNAUTHORIZED and "authorization" not in http.headers:
        http.headers["authorization"] = (
            f"Bearer {_anonymous_token(http, response.headers.get('www-authenticate', ''))}"
        )
        response = http.get(url)
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
        raise ImageNotFound(f"the registry answers {response.status_code}")
    return response.raise_for_status()


def _anonymous_token(http: httpx.Client, challenge: str) -> str:
    """Get the token that a registry gives to everybody, from the place that its refusal names."""
    challenge_values = dict(_CHALLENGE.findall(challenge))
    if "realm" not in challenge_values:
        raise ImageNotFound("the registry requires credentials")
    parameters = {name: challenge_values[name] for name in ("service", "scope") if name in challenge_values}
    body: dict[str, Any] = http.get(challenge_values["realm"], params=parameters).raise_for_status().json()
    return str(body.get("token") or body.get("access_token"))


def _amd64_digest(manifests: list[dict[str, Any]]) -> str:
    for manifest in manifests:
        platform = manifest.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
            return str(manifest["digest"])
    raise ImageNotFound("it has no variant for linux/amd64")
