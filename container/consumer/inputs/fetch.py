"""Download the image, video or sound behind a link of any supported scheme, and check what it is."""

import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapters.public_http.allowance import Allowance, unlimited_allowance
from adapters.public_http.connection import Requests, public_tls
from adapters.public_http.errors import InputError, not_an_image, too_large
from adapters.public_http.links import HttpLink, S3Link, parse, unsigned_s3_object
from adapters.public_http.network import Connect, Resolve, system_resolve, tcp_connect
from container.consumer.inputs.credentials import HostCredentials
from container.consumer.inputs.hints import page_hint
from container.consumer.inputs.images import Sniffed, sniff
from container.consumer.inputs.limits import Limits
from container.consumer.inputs.s3 import Objects
from container.consumer.inputs.video_sizes import video_size
from container.consumer.inputs.web import Web
from domain.errors import ErrorCode
from runtimes.media import is_page, not_read

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded input and its type."""

    data: bytes
    file_type: Sniffed


class Links:
    """Downloads the inputs that a task links to; can be used from several threads.

    `buckets` are the buckets that `s3://` links may name. `allow_private` permits private and loopback
    addresses and changes nothing else. `credentials` are those that the operator stored for hosts. `resolve`,
    `connect` and `tls` are the machine's own unless a test passes others.
    """

    def __init__(
        self,
        *,
        s3_client: "S3Client",
        buckets: frozenset[str],
        allow_private: bool,
        credentials: HostCredentials | None = None,
        limits: Limits = DEFAULT_LIMITS,
        resolve: Resolve = system_resolve,
        connect: Connect = tcp_connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits
        self._objects = Objects(s3_client, buckets, limits=limits)
        self._web = Web(
            requests=Requests(
                allow_private=allow_private,
                connect_seconds=limits.connect_seconds,
                resolve=resolve,
                connect=connect,
                tls=tls or public_tls(),
            ),
            limits=limits,
            credentials=credentials or HostCredentials(),
        )

    def fetch(self, link: str, allowance: Allowance | None = None) -> Fetched:
        """Download the file behind a link, within the limits of the link and of the task.

        An object in a bucket that `s3://` links may name is read with the worker's role, also if the link
        uses S3's address without a signature. Raise InputError if it is the task's fault, and botocore's
        errors if it is S3's.
        """
        allowance = allowance or unlimited_allowance()
        parsed = parse(link)
        if (
            isinstance(parsed, HttpLink)
            and (s3_link := unsigned_s3_object(parsed))
            and self._objects.may_read(s3_link)
        ):
            parsed = s3_link
        if isinstance(parsed, S3Link):
            data = self._objects.fetch(parsed, allowance)
        else:
            data = self._web.fetch(parsed, allowance)
        hint = page_hint(parsed) if isinstance(parsed, HttpLink) and is_page(data) else ""
        return Fetched(data, check_file(data, self._limits, hint=hint))


def check_file(data: bytes, limits: Limits = DEFAULT_LIMITS, *, hint: str = "") -> Sniffed:
    """Return the type of an image, or where the limits allow them of a video or a sound.

    Raise InputError like `check_image`, and for a video of which the file does not tell the size.
    """
    found = sniff(data)
    if not limits.media_bytes or found is None or found.kind == "image":
        return check_image(data, limits, hint=hint)
    if len(data) > limits.media_bytes:
        raise too_large(f"{limits.media_bytes:,} bytes are allowed for a video or a sound")
    if found.kind == "audio":
        return found
    size = video_size(data, found.format)
    if size is None:
        raise InputError(
            ErrorCode.INPUT_WRONG_TYPE,
            f"the {found.format} does not tell how many frames it has, or breaks off; save it as a plain "
            "MP4 without fragments.",
        )
    if max(size.width, size.height) > limits.max_side:
        raise too_large(f"{limits.max_side:,} pixels per side are allowed")
    return replace(found, width=size.width, height=size.height, frames=size.frames)


def check_image(data: bytes, limits: Limits = DEFAULT_LIMITS, *, hint: str = "") -> Sniffed:
    """Return the type of an image; raise InputError if the bytes are not an image or it is too large.

    `hint` says what to do about bytes that are no image.
    """
    image = sniff(data)
    if image is None or not image.content_type.startswith("image/"):
        raise not_an_image(f"it is {not_read(data)}{f'; {hint}' if hint else ''}")
    if not image.pixels:
        raise not_an_image(f"its {image.format} header is broken")
    if image.pixels > limits.max_pixels:
        raise too_large(f"{limits.max_pixels:,} pixels are allowed")
    if max(image.size) > limits.max_side:
        raise too_large(f"{limits.max_side:,} pixels per side are allowed")
    if len(data) > limits.max_bytes:
        raise too_large(f"{limits.max_bytes:,} bytes are allowed for an image")
    return image
