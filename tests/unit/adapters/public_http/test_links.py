"""Parsing links, and deciding which hosts and addresses are public."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.public_http.addresses import NAT64, is_public
from adapters.public_http.errors import InputError
from adapters.public_http.hosts import parse_host
from adapters.public_http.links import HttpLink, S3Link, parse
from runtimes.links import begins_as_link, is_link

PARTS = [(1, 32), (2, 24), (3, 16), (4, 8)]
"""How many parts an IPv4 address is written in, and the bits of the last one."""

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "11.0.0.1", "223.255.255.254"]
PUBLIC_IPV6 = ["2606:2800:220:1::1", "2a00:1450:4001::1", "2600::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("text", PUBLIC + PUBLIC_IPV6)
def test_public_addresses_up_to_the_borders_of_special_networks(text: str) -> None:
    assert is_public(ip_address(text))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_no_address_that_python_knows_as_special_is_public(address: IPv4Address | IPv6Address) -> None:
    inner = address
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in NAT64):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    special = (
        inner.is_private
        or inner.is_loopback
        or inner.is_link_local
        or inner.is_multicast
        or inner.is_reserved
    )
    assert not (special and is_public(address))


@settings(max_examples=200, deadline=None)
@given(
    number=st.integers(0, 2**32 - 1),
    count_and_bits=st.sampled_from(PARTS),
    base=st.sampled_from(["{}", "{:#x}", "0{:o}"]),
)
def test_ipv4_is_read_as_the_c_library_reads_it(
    number: int, count_and_bits: tuple[int, int], base: str
) -> None:
    count, bits = count_and_bits
    high = number >> bits
    octets = [high >> 8 * (count - 2 - index) & 0xFF for index in range(count - 1)]
    text = ".".join(base.format(part) for part in [*octets, number & (1 << bits) - 1])
    resolved = socket.getaddrinfo(text, 80, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4][0]
    assert parse_host(text) == IPv4Address(number) == ip_address(resolved)


@pytest.mark.parametrize(
    "value",
    ["http://a", "https://a/b?c#d", "s3://b/k", "HTTPS://A/", " http://a/ ", "\nhttp://a\n", "http://ü/猫"],
)
def test_a_text_that_is_only_a_url_is_a_link(value: str) -> None:
    assert is_link(value)
    assert begins_as_link(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a cat",
        "see http://a/",
        "iVBORw0KGgo=",
        "data:image/png;base64,AA",
        "file:///x",
        "httpx://a",
        7,
        None,
        ["http://a"],
    ],
)
def test_other_texts_and_types_are_no_links(value: object) -> None:
    assert not is_link(value)
    assert not begins_as_link(value)


@pytest.mark.parametrize(
    "value", ["http://a and a cat", "http://a/ b", "https:", "http:a", "s3:", "\0http://a b"]
)
def test_a_text_that_only_begins_like_a_url_is_no_link_and_is_refused(value: str) -> None:
    assert not is_link(value)
    assert begins_as_link(value)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("http://a.example", HttpLink("http", "a.example", 80, "/")),
        ("https://A.example:8443/x?y=z#f", HttpLink("https", "a.example", 8443, "/x?y=z")),
        ("http://a.example/%41 ".strip(), HttpLink("http", "a.example", 80, "/%41")),
        ("http://a.example/ü?ü", HttpLink("http", "a.example", 80, "/%C3%BC?%C3%BC")),
        ("http://a.example/\"<>\\^`{|}'", HttpLink("http", "a.example", 80, "/%22%3C%3E%5C%5E%60%7B%7C%7D'")),
        ("http://a.example/100% wool%.png", HttpLink("http", "a.example", 80, "/100%25%20wool%25.png")),
        ("http://[2606::1]:8080", HttpLink("http", IPv6Address("2606::1"), 8080, "/")),
        ("s3://bucket/a b/猫?#%41", S3Link("bucket", "a b/猫?#%41")),
    ],
)
def test_a_link_is_parsed_into_its_parts(link: str, expected: object) -> None:
    assert parse(link) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        "{}://{}{}".format,
        st.sampled_from(["http", "https", "s3", "HTTP"]),
        st.text(max_size=30) | st.from_regex(r"[a-z0-9.:@%\[\]-]{1,30}", fullmatch=True),
        st.text(max_size=30).map("/{}".format),
    )
    | st.text(max_size=60)
)
def test_any_text_is_parsed_to_a_stable_link_or_refused(text: str) -> None:
    try:
        link = parse(text)
    except InputError:
        return
    if isinstance(link, HttpLink):
        assert parse(str(link)) == link
        assert link.target.isascii()
        assert link.target.isprintable()
        assert " " not in str(link)
        assert link.target.startswith("/")
