"""Normalize the host of a link to the one spelling that is resolved, checked, connected to and certified."""

import re
import socket
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from adapters.public_http.addresses import Address
from adapters.public_http.errors import InputError, blocked

MAX_NAME_LENGTH: Final = 253
LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

Host = str | Address
"""A lower-case ASCII name without trailing dot, or an address."""


def parse_host(text: str) -> Host:
    """Return the host that `text` (from a link, with any brackets) refers to.

    Every spelling of IPv4 that the C library accepts (decimal, octal, hex, one to four parts) becomes that
    address; digits of other scripts and ideographic full stops are first mapped to ASCII (UTS 46), as in a
    browser.
    """
    if text.startswith("["):
        return _ipv6(text)
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME_LENGTH or not all(LABEL.fullmatch(label) for label in labels):
        raise _malformed()
    if NUMBER.fullmatch(labels[-1]):  # a name cannot end in a number: it is an IPv4 address or nothing
        return _ipv4(name)
    return name


def _ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    import idna  # noqa: PLC0415 - the API, which only accepts ASCII names, starts without it

    try:
        return idna.encode(text, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        # A name of digits in another script is not an IDNA name, but it can be mapped to ASCII.
        try:
            mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        except (idna.IDNAError, UnicodeError):
            raise _malformed() from None
        if mapped.isascii():
            return mapped.lower()
        raise _malformed() from None


def _ipv4(name: str) -> IPv4Address:
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        raise _malformed() from None


def _ipv6(text: str) -> IPv6Address:
    if not text.endswith("]") or "%" in text:  # "%" begins a zone: an interface of this machine
        raise _malformed()
    try:
        return IPv6Address(text[1:-1])
    except AddressValueError:
        raise _malformed() from None


def _malformed() -> InputError:
    return blocked("its host is neither a name nor an address")
