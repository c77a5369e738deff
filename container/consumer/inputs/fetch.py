"""The one way from a link to its image, whatever its scheme."""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from container.consumer.inputs.allowance import Allowance, unlimited
from container.consumer.inputs.errors import not_an_image, too_large
from container.consumer.inputs.images import Sniffed, sniff
from container.consumer.inputs.limits import Limits
from container.consumer.inputs.links import HttpLink, S3Link, as_object, parse
from container.consumer.inputs.network import Connect, Resolve, system_resolve, tcp_connect
from container.consumer.inputs.s3 import Objects
from container.consumer.inputs.web import Web, public_tls
from runtimes.media import not_read

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Fetched:
    """Hold an input as it came, and what it is."""

    data: bytes
    image: Sniffed

    @property
    def media_type(self) -> str:
        """Return the content type that its bytes say."""
        return self.image.content_type


class Links:
    """Fetch the images that a task links to. Thread-safe.

    `buckets` are those that `s3://` links may name. `allow_private` lets private and loopback addresses
    through and loosens nothing else. `resolve`, `connect` and `tls` are the machine's own unless a test
    brings others.
    """

    def __init__(
        self,
        *,
        s3_client: "S3Client",
        buckets: frozenset[str],
        allow_private: bool,
        limits: Limits = DEFAULT_LIMITS,
        resolve: Resolve = system_resolve,
        connect: Connect = tcp_connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits
        self._objects = Objects(s3_client, buckets, limits=limits)
        self._web = Web(
            resolve=resolve,
            connect=connect,
            tls=tls or public_tls(),
            allow_private=allow_private,
            limits=limits,
        )

    def fetch(self, link: str, allowance: Allowance | None = None) -> Fetched:
        """Return the image that a link leads to, within its own limits and the task's.

        An object of a bucket that `s3://` links may name is read with the role also where S3's address names
        it and no signature stands behind.

        Raises InputError, the task's own fault; botocore's errors where S3 is at fault.
        """
        allowance = allowance or unlimited()
        parsed = parse(link)
        if isinstance(parsed, HttpLink) and (named := as_object(parsed)) and self._objects.reads(named):
            parsed = named
        if isinstance(parsed, S3Link):
            data = self._objects.fetch(parsed, allowance)
        else:
            data = self._web.fetch(parsed, allowance)
        return Fetched(data, check_image(data, self._limits))


def check_image(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Sniffed:
    """Say what image some bytes are; raises InputError where they are none, or one that is too large."""
    image = sniff(data)
    if image is None or not image.content_type.startswith("image/"):
        raise not_an_image(f"it is {not_read(data)}")
    if not image.pixels:
        raise not_an_image(f"its {image.format} header is broken")
    if image.pixels > limits.max_pixels:
        raise too_large(f"{limits.max_pixels:,} pixels are allowed")
    if max(image.size) > limits.max_side:
        raise too_large(f"{limits.max_side:,} pixels a side are allowed")
    return image
