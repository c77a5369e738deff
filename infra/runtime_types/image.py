"""Where the image of an engine comes from, by how the settings name it."""

import re
from dataclasses import dataclass
from typing import Final

_PRIVATE: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)"
)
_PUBLIC: Final = "public.ecr.aws/"
_REFERENCE: Final = re.compile(
    r"(?P<name>[^@\s]+?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A private repository in ECR, of this account or another one."""

    account: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the settings name it: a folder to build, or `NAME[:TAG][@DIGEST]` in a registry."""

    text: str

    @property
    def folder(self) -> str | None:
        """Return the folder whose Dockerfile builds the image, relative to the checkout."""
        return self.text if self.text.startswith("./") else None

    @property
    def name(self) -> str:
        """Return the name with the registry, without tag and digest."""
        return self._match()["name"]

    @property
    def tag(self) -> str | None:
        """Return the tag: `latest` if there is neither a tag nor a digest."""
        match = self._match()
        return match["tag"] or (None if match["digest"] else "latest")

    @property
    def reference(self) -> str:
        """Return the digest, or else the tag, or else `latest`."""
        match = self._match()
        return match["digest"] or match["tag"] or "latest"

    @property
    def pinned(self) -> bool:
        """Return whether every start runs the same image."""
        return self.folder is not None or self._match()["digest"] is not None

    @property
    def private(self) -> Repository | None:
        """Return the private repository in ECR that the image is in."""
        match = _PRIVATE.fullmatch(self.name)
        return Repository(match["account"], match["region"], match["name"]) if match else None

    @property
    def public_ecr(self) -> str | None:
        """Return the name in ECR's public registry, such as `alias/name`."""
        return self.name.removeprefix(_PUBLIC) if self.name.startswith(_PUBLIC) else None

    def _match(self) -> re.Match[str]:
        match = _REFERENCE.fullmatch(self.text)
        if match is None:
            raise ValueError(f"{self.text!r} is not the name of an image")
        return match


def validate_image_name(text: str) -> str:
    """Return the text; raise ValueError if it is neither a folder nor the name of an image."""
    image = Image(text)
    if image.folder is None:
        _ = image.reference
        if re.search(r"[\s\\]", text) or text.startswith("/") or text.endswith(("/", ":", "@")):
            raise ValueError("a folder as ./FOLDER, or an image as NAME:TAG or NAME@sha256:DIGEST")
    elif ".." in text.split("/"):
        raise ValueError("the folder must be in the checkout")
    return text
