"""Recognize links in a task: which texts are downloaded, and which must never be."""

import re
from typing import Any, Final

_BEGINS_AS_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3):", re.IGNORECASE)
_WHOLLY_A_LINK: Final = re.compile(r"[\x00-\x20]*(https?|s3)://[^\x00-\x20]+[\x00-\x20]*", re.IGNORECASE)
_NAMES_A_FILE: Final = re.compile(
    r"[\x00-\x20]*(https?|s3)://[^\x00-\x1f]+\.(png|jpe?g|webp|avif|gif|bmp)[\x00-\x20]*", re.IGNORECASE
)
"""Spaces are allowed, as in the names of screenshots."""

_OTHER_SCHEME: Final = re.compile(r"[\x00-\x20]*([a-z][a-z0-9+.-]{0,20})://", re.IGNORECASE)
_WITH_CREDENTIALS: Final = re.compile(r"[\x00-\x20]*https?://[^/?#\\]*@", re.IGNORECASE)

CREDENTIALS_IN_LINK: Final = (
    "a user or password, which a task must not contain, because tasks are stored; the operator of this "
    "service can configure credentials for the host (inputs.credentials in config.yaml)"
)
"""Why a link is refused, to follow "it carries"."""


def is_link(value: Any) -> bool:
    """Return whether the whole value is an http, https or s3 URL, and not just its beginning."""
    return isinstance(value, str) and bool(_WHOLLY_A_LINK.fullmatch(value) or _NAMES_A_FILE.fullmatch(value))


def begins_as_link(value: Any) -> bool:
    """Return whether a value begins like a link.

    In an image field, such a value must be a valid link or is an error, and is never passed on: an engine
    itself may fetch anything that begins with http, from inside the network.
    """
    return isinstance(value, str) and _BEGINS_AS_LINK.match(value) is not None


def refused_link(value: str) -> str | None:
    """Return why a text in an image field is a link that is never downloaded, None if it may be."""
    if _WITH_CREDENTIALS.match(value):
        return f"the link carries {CREDENTIALS_IN_LINK}"
    scheme = _OTHER_SCHEME.match(value)
    if scheme and not begins_as_link(value):
        return f"links are https://, http:// or s3://; {scheme[1].lower()}:// is not downloaded"
    return None
