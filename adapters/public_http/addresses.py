"""Decide which addresses are public, because links of callers may lead to public addresses only."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

# IANA's special-purpose registries for IPv4 and IPv6, written out so that every Python version decides alike:
# its own `is_global` changed between patch releases and treats multicast as global.
REFUSED_IPV4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 itself reaches loopback
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and the container networks of several clouds
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's agent channel, on a public address
        "169.254.0.0/16",  # link-local: instance metadata, ECS's credentials (169.254.170.2), DNS, NTP
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # the former 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with broadcast
    )
)

PUBLIC_IPV6: Final = IPv6Network("2000::/3")
"""All addresses assigned as global unicast. Everything else is refused: ::, ::1, fc00::/7, fe80::/10,
fec0::/10, ff00::/8, and 64:ff9b:1::/48, whose meaning depends on the local network."""

REFUSED_IPV6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo (2001::/32), ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address of anybody's choice inside
        "3fff::/20",
        "3ffe::/16",  # the former 6bone
    )
)

NAT64: Final = IPv6Network("64:ff9b::/96")
"""How IPv4 hosts appear in a subnet with DNS64: the last 32 bits are the packet's destination (RFC 6052)."""


def is_public(address: Address) -> bool:
    """Return whether anybody on the internet could reach an address.

    For IPv4 inside IPv6, the IPv4 address at which the packet arrives decides.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_IPV4)
    if address.scope_id is not None:  # a zone: an interface of this machine
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in PUBLIC_IPV6 and not any(address in network for network in REFUSED_IPV6)
